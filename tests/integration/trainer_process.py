"""Run by torchrun in tests: the loops of the trainer without services. Arguments: settings as JSON.

Writes one JSON object of figures a step to `figures`, from rank 0.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import torch
from trainer_kit import recipe_of, recorded_group

from earwitness.manifest import read_manifest
from trainer import parallel
from trainer.checkpoint import Progress
from trainer.control import Wish
from trainer.examples import Examples, load_tokenizer
from trainer.groups import group_metrics, samples_of
from trainer.learner import Learner
from trainer.mels import MelCache
from trainer.model.policy import build_policy
from trainer.reinforce import reinforce
from trainer.supervised import tune


class Recorder:
    """Control that writes figures and never wishes anything."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("w") if parallel.is_rank_zero() else None  # noqa: SIM115

    def poll(self) -> Wish:
        return Wish.NONE

    def report(self, step: int, metrics: dict[str, float]) -> None:
        if self._file:
            self._file.write(json.dumps({"step": step, **metrics}) + "\n")
            self._file.flush()


class Recorded:
    """Source of made-up groups."""

    def __init__(self, model: str, manifest: str, count: int) -> None:
        self._tokenizer, self._manifest, self._count = load_tokenizer(model), manifest, count

    def open(self) -> None:
        pass

    def take(self, version: int):
        numbers = range(version * self._count, (version + 1) * self._count)
        groups = [recorded_group("run", n, self._tokenizer, self._manifest, version) for n in numbers]
        return [samples_of(g, vocab_size=10_000, max_positions=256) for g in groups], group_metrics(groups, version, 7)

    def use(self, step: int) -> None:
        pass


def main() -> None:
    settings = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    recipe = recipe_of(settings["recipe"].encode())
    parallel.initialize(recipe.model.tensor_parallel, recipe.model.pipeline_parallel)
    control, mels, model = Recorder(settings["figures"]), MelCache(128), settings["model"]
    if settings["loop"] == "sft":
        config = recipe.stages[0].tune
        examples = Examples(
            read_manifest(settings["manifest"]),
            load_tokenizer(model),
            mels,
            batch_size=config.batch_size,
            max_positions=256,
            seed=1,
        )
        learner = Learner(build_policy(model), config.optimizer, config.steps)
        assert tune(learner, examples, mels, config, Progress(), control, lambda: None)
    else:
        stage = recipe.stages[1]
        policy = Learner(build_policy(model), stage.optimizer, stage.steps)
        critic = Learner(build_policy(model, value_head=True), stage.optimizer, stage.steps)
        source = Recorded(model, settings["manifest"], stage.groups_per_step)
        assert reinforce(
            policy,
            critic,
            source,
            mels,
            stage,
            Progress(),
            control,
            lambda version: None,
            lambda: None,
            seed=1,
            token_text=str,
        )


main()
