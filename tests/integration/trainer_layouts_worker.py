"""One rank of `test_trainer_layouts.py`: five steps of sft, ppo and dpo in each layout; rank 0 writes what came out.

Arguments: model directory, manifest, output directory, then layouts as JSON. Starting Python costs more than the
training, so one process goes through many layouts.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import save_file
from trainer_kit import recorded_group

from earwitness.families.registry import MADE
from earwitness.manifest import read_manifest
from earwitness.recipe.schema import Lora, Optimizer, PreferenceTune, SamplingConfig, Tune
from earwitness.recipe.stages import RlStage
from trainer.errors import NonFiniteError
from trainer.learner import Learner
from trainer.mels import MelCache
from trainer.model.build import build_policy
from trainer.model.huggingface import export_tensors
from trainer.ranks import parallel
from trainer.rl.groups import Sample, samples_of
from trainer.rl.reinforce import reinforce
from trainer.steps import Steps
from trainer.tuning.examples import Examples, Rendering, load_tokenizer
from trainer.tuning.preference import Pair, prefer
from trainer.tuning.supervised import tune

STEPS, GROUPS, PAIRS = 5, 3, 10
OPTIMIZER = Optimizer(learning_rate=3e-4, warmup_steps=2, schedule="linear", weight_decay=0.01)
LIMITS = {"vocab_size": 10_000, "max_positions": 256}


class Recorder:
    """Keeps the figures of a loop that nobody stops."""

    def __init__(self) -> None:
        self.figures: list[dict[str, float]] = []

    def follow(self, steps: Steps) -> None:
        for step in steps:
            assert step is not None
            self.figures.append({"step": step.number, **step.metrics})


class Recorded:
    """Source of made-up groups, the same for the same step."""

    def __init__(self, model: str, manifest: str) -> None:
        self._tokenizer, self._manifest = load_tokenizer(model), manifest

    def group(self, ordinal: int, version: int = 0) -> Any:
        return recorded_group("run/1-train/0", ordinal, self._tokenizer, self._manifest, version)

    def take(self, version: int) -> tuple[list[list[Sample]], dict[str, float]]:
        groups = [self.group(n, version) for n in range(version * GROUPS, (version + 1) * GROUPS)]
        return [samples_of(g, **LIMITS) for g in groups], {}


class Poisoned(Recorded):
    """The first step's last trajectory has a reference log-prob that is no number; only one replica holds it."""

    def take(self, version: int) -> tuple[list[list[Sample]], dict[str, float]]:
        groups, metrics = super().take(version)
        groups = [[replace(s, reference_logprobs=s.rollout_logprobs) for s in group] for group in groups]
        last = groups[-1][-1]
        groups[-1][-1] = replace(last, reference_logprobs=np.full_like(last.rollout_logprobs, math.nan))
        return groups, metrics


class Layout:
    """One layout: its learners, and the loops on them."""

    def __init__(self, model: str, manifest: str, mels: MelCache, said: dict[str, Any]) -> None:
        parallel.initialize(said.get("tensor", 1), said.get("pipeline", 1))
        self._model, self._manifest, self._mels, self._said = model, manifest, mels, said
        self._cut = {"micro_batch_size": said["micro"], "packed": said.get("packed", False)}

    def learner(self, *, value_head: bool = False) -> Learner:
        module = build_policy(
            self._model,
            value_head=value_head,
            freeze_encoder=self._said.get("frozen", False),
            lora=Lora(rank=4) if self._said.get("lora") else None,
            sequence_parallel=self._said.get("sequence", False),
            dtype=getattr(torch, self._said.get("dtype", "float32")),
        )
        assert module.config.sequence_parallel == self._said.get("sequence", False)
        return Learner(module, OPTIMIZER, 2 * STEPS, distributed_optimizer=self._said.get("distributed", False))

    def sft(self, control: Recorder) -> list[Learner]:
        config = Tune(steps=STEPS, batch_size=8, optimizer=OPTIMIZER, **self._cut)
        examples = read_manifest(self._manifest)
        rendering = Rendering(load_tokenizer(self._model), self._mels, max_positions=256)
        rows = Examples(examples, rendering, batch_size=8, seed=1)
        learner = self.learner()
        control.follow(tune(learner, rows, self._mels, config, 0))
        return [learner]

    def ppo(self, control: Recorder, source: type[Recorded] = Recorded) -> list[Learner]:
        stage = RlStage(
            steps=STEPS,
            groups_per_step=GROUPS,
            updates_per_step=2,
            sampling=SamplingConfig(samples=4, max_tokens=16),
            optimizer=OPTIMIZER,
            kl_coef=0.1 if source is Poisoned else 0.0,
            logprob_gap_bound=10.0,  # recorded groups come from no model of ours
            **self._cut,
        )
        learners = [self.learner(), self.learner(value_head=True)]
        before = [{n: p.detach().clone() for n, p in x.model.named_parameters()} for x in learners]
        groups = source(self._model, self._manifest)
        try:
            control.follow(reinforce(*learners, groups, self._mels, stage, 0, 0, seed=1, token_text=str))
        except NonFiniteError as error:
            same = all(
                torch.equal(p, b[n])
                for x, b in zip(learners, before, strict=True)
                for n, p in x.model.named_parameters()
            )
            control.figures.append({"refused": str(error), "unchanged": same})
        return learners

    def poisoned(self, control: Recorder) -> list[Learner]:
        return self.ppo(control, Poisoned)

    def dpo(self, control: Recorder) -> list[Learner]:
        recorded = Recorded(self._model, self._manifest)
        pairs = []
        for ordinal in range(PAIRS):
            better, worse, *_ = samples_of(recorded.group(ordinal), **LIMITS)
            references = [-5.7 * sample.row.response_tokens for sample in (better, worse)]
            pairs.append(Pair(better.row, worse.row, *references))
        config = PreferenceTune(steps=STEPS, batch_size=5, beta=0.1, optimizer=OPTIMIZER, **self._cut)
        learner = self.learner()
        control.follow(prefer(learner, pairs, self._mels, config, 0, seed=1))
        return [learner]


def main() -> None:
    """Runs the rank."""
    model, manifest, out, layouts = sys.argv[1], sys.argv[2], Path(sys.argv[3]), json.loads(sys.argv[4])
    torch.set_num_threads(1)
    mels = MelCache(128, MADE)
    for name, said in layouts.items():
        layout = Layout(model, manifest, mels, said)
        for loop in said.get("loops", ["sft", "ppo", "dpo"]):
            control = Recorder()
            learners = getattr(layout, loop)(control)
            tensors = {
                f"{number}.{key}": value.clone().contiguous()
                for number, learner in enumerate(learners)
                for key, value in export_tensors(learner.model)
            }
            every = [None] * dist.get_world_size()
            dist.all_gather_object(every, control.figures)
            if parallel.is_rank_zero():
                save_file(tensors, out / f"{name}.{loop}.safetensors")
                (out / f"{name}.{loop}.json").write_text(json.dumps(every))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
