"""In which order a phase of RL tells the world of itself."""

from types import SimpleNamespace

from earwitness.recipe.schema import Optimizer
from earwitness.recipe.stages import RlStage
from trainer.checkpoint import Progress
from trainer.rl.reinforce import reinforce


def test_the_run_is_opened_only_once_the_weights_are_there():
    """A worker with the weights of a lost lineage would else be ready for tasks of this one."""
    order = []
    stage = RlStage(steps=3, optimizer=Optimizer(learning_rate=1e-3))
    assert reinforce(
        None, None, SimpleNamespace(open=lambda: order.append("open")), {}, stage, Progress(step=3, version=12), None,
        lambda version: order.append(f"publish {version}"), lambda: order.append("published"), lambda: None,
        seed=1, token_text=str,
    )  # fmt: skip
    assert order == ["publish 12", "published", "open"]
