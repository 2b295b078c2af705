"""Run as ranks in tests: takes up a one-rank checkpoint at other layouts. Arguments: settings as JSON.

For each layout: restores, saves what it then holds as step 1, takes the next supervised update, saves that as step 2.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import torch
from trainer_kit import recipe_of

from earwitness.families.registry import MADE
from earwitness.log import get_logger
from earwitness.manifest import read_manifest
from trainer.checkpoint import Checkpoints, Progress
from trainer.checkpoint.state import restore_rng, rng_pieces
from trainer.learner import Learner
from trainer.mels import MelCache
from trainer.model.build import build_policy
from trainer.ranks import parallel
from trainer.tuning.examples import Examples, Rendering, load_tokenizer
from trainer.tuning.supervised import tune


def continue_at(settings: dict, tensor: int, pipeline: int, distributed: bool, source: str, out: str) -> None:
    """`source` and `out`: folders of checkpoints; no `source`: from the model's weights, and two steps."""
    recipe = recipe_of(settings["recipe"].encode())
    parallel.initialize(tensor, pipeline)
    torch.manual_seed(5)
    config = recipe.stages[0].tune
    module = build_policy(settings["model"])
    learner = Learner(module, config.optimizer, config.steps, distributed_optimizer=distributed)
    mels = MelCache(128, MADE)
    rendering = Rendering(load_tokenizer(settings["model"]), mels, max_positions=256)
    examples = Examples(read_manifest(settings["manifest"]), rendering, batch_size=config.batch_size, seed=1)
    checkpoints = Checkpoints(out, 3, get_logger("trainer"))
    progress = Progress()

    def save() -> None:
        checkpoints.save(progress, lambda: [*learner.pieces("policy"), *rng_pieces()])
        checkpoints.finish()

    def go_on(steps: int) -> None:
        for step in tune(learner, examples, mels, config.model_copy(update={"steps": steps}), progress.step):
            progress.step, progress.final = step.number, step.number == steps
        save()

    if source:
        found = Checkpoints(source, 3, get_logger("trainer")).newest()
        assert found is not None
        with found.pieces() as pieces:
            learner.restore("policy", pieces)
            restore_rng(pieces)
        progress.step = found.progress.step
        save()
    else:
        go_on(1)
    go_on(2)


if __name__ == "__main__":
    torch.set_num_threads(1)
    told = json.loads(sys.argv[1])
    for layout in told["layouts"]:
        continue_at(told, *layout)
