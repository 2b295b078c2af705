"""A learner's state goes to a checkpoint and back, whatever optimizer holds it."""

import pytest
import torch

from earwitness.recipe.schema import Optimizer, ToyModel
from trainer import parallel
from trainer.checkpoint.pieces import Pieces, file_of, write_pieces
from trainer.learner import Learner
from trainer.model.policy import build_policy
from trainer.toy import make_toy

TOY = ToyModel(hidden_size=64, layers=2, heads=2, kv_heads=2, intermediate_size=64, vocab_size=320, encoder_size=32)
CONFIG = Optimizer(learning_rate=1e-2, weight_decay=0.1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    parallel.initialize(1, 1)
    folder = tmp_path_factory.mktemp("state") / "model"
    make_toy(str(folder), TOY, ["How many beeps? one two"], 1)
    return str(folder)


def update(learner: Learner, seed: int) -> None:
    """A step on gradients that the seed gives."""
    generator = torch.Generator().manual_seed(seed)
    for buffer in learner.model.buffers:
        buffer.grad_data.copy_(torch.randn(buffer.grad_data.shape, generator=generator))
    learner._optimizer.step()


@pytest.mark.parametrize("distributed", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("value_head", [False, True])
def test_what_is_restored_goes_on_to_the_bit(model, tmp_path, dtype, distributed, value_head):
    def fresh() -> Learner:
        module = build_policy(model, value_head=value_head, dtype=dtype, freeze_encoder=value_head)
        return Learner(module, CONFIG, 10, distributed_optimizer=distributed)

    one = fresh()
    for seed in (1, 2):
        update(one, seed)
    written = list(one.pieces("policy"))
    kinds = {piece.name.split("/")[1] for piece in written}
    assert kinds == {"weight", "exp_avg", "exp_avg_sq", "updates"}
    write_pieces(tmp_path / file_of(0), written, lambda nbytes: None)
    other = fresh()
    with Pieces(tmp_path) as pieces:
        other.restore("policy", pieces)
    again = {piece.name: piece.tensor for piece in other.pieces("policy")}
    assert all(torch.equal(again[piece.name], piece.tensor) for piece in written) and len(again) == len(written)
    for learner in (one, other):
        update(learner, 3)
    pairs = list(zip(one.model.parameters(), other.model.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_learner_that_was_never_updated_is_restored_as_such(model, tmp_path):
    learner = Learner(build_policy(model), CONFIG, 10)
    write_pieces(tmp_path / file_of(0), list(learner.pieces("policy")), lambda nbytes: None)
    moved = Learner(build_policy(model), CONFIG, 10)
    update(moved, 1)
    fresh = Learner(build_policy(model), CONFIG, 10)
    with Pieces(tmp_path) as pieces:
        fresh.restore("policy", pieces)
    update(fresh, 1)
    assert all(torch.equal(a, b) for a, b in zip(moved.model.parameters(), fresh.model.parameters(), strict=True))
