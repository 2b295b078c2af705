"""Seconds and CPU seconds of an update, a step and a sampling pass on the quickstart's shapes: what is saved, and how.

    python benchmarks/step.py [--rounds 5] [--sampling] [--json]

One process, one rank, the toy of the quickstart with random weights, clips of noise. Each part is run with and without
what saves its time, by turns, and medians are shown: an encoder that learns or one that is frozen and hears each clip
once; a group's prompt computed for each trajectory or once, and with that no old log-probs ahead of the first update,
which finds them itself. `--sampling` adds as many samples from a real rollout worker behind real Redis servers.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":  # this file's folder holds modules of the names of packages
    sys.path[0] = str(Path(__file__).parents[1])

import numpy as np
import psutil
import torch

from earwitness.families.registry import MADE
from earwitness.families.toy import TOKENS
from earwitness.recipe.schema import Optimizer, SamplingConfig, ToyModel, Tune
from earwitness.recipe.stages import RlStage
from trainer import batches
from trainer.batches import Mels, Row
from trainer.learner import Learner
from trainer.model.build import build_policy
from trainer.model.toy import make_toy
from trainer.ranks import parallel
from trainer.rl.experience import names_of, updates_of
from trainer.rl.groups import Sample
from trainer.rl.learn import learn
from trainer.rl.recall import recall
from trainer.tuning.supervised import work_of

TOY = ToyModel(max_positions=256)
"""That of recipes/quickstart.yaml."""
GROUPS, SAMPLES, MICRO_BATCH = 12, 16, 64
PROMPT, RESPONSE = 39, 23
"""Tokens of a row in the quickstart, means."""
SUPERVISED_BATCH = 16
FRAMES = 162
"""Mel frames of a clip of 1.6 s, trailing ones included."""
PATCHES, PATCH = MADE.audio_tokens(FRAMES), TOKENS.index(MADE.layout.audio_patch)
CLIPS = 64
WARM_UP = 2
"""Rounds that are not counted: memory, caches, the clips' first hearing."""

Part = Callable[[int], None]


def main() -> int:
    """Entry point; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="times that each part runs")
    parser.add_argument("--threads", type=int, default=1, help="torch threads")
    parser.add_argument("--sampling", action="store_true", help="also a sampling pass, which starts vLLM")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    parallel.initialize(1, 1)
    with tempfile.TemporaryDirectory() as scratch:
        model = Path(scratch) / "model"
        make_toy(str(model), TOY, ["the pitch climbs from about 220 to 440 Hz, so it is rising"] * 4, seed=3)
        result = measured(parts(model), chosen.rounds)
    if chosen.sampling:
        result["sampling"] = sampling(chosen.rounds)
    if chosen.json:
        print(json.dumps(result))
        return 0
    for name, figures in result.items():
        print(f"{name:52} {1000 * figures['seconds']:8.0f} ms {1000 * figures['cpu_seconds']:8.0f} ms of CPU")
    return 0


def measured(todo: dict[str, Part], rounds: int) -> dict[str, dict[str, float]]:
    """Medians over the rounds, in which the parts take turns."""
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in todo}
    for turn in range(rounds + WARM_UP):
        for name, part in todo.items():
            started, cpu = time.perf_counter(), time.process_time()
            part(turn)
            if turn >= WARM_UP:
                seen[name].append((time.perf_counter() - started, time.process_time() - cpu))
    return {name: _medians(times) for name, times in seen.items()}


def parts(model: Path) -> dict[str, Part]:
    """What is measured, by name."""
    mels = {f"clip {n}": [_random(n).standard_normal((128, FRAMES)).astype(np.float32)] for n in range(CLIPS)}
    todo: dict[str, Part] = {}
    for frozen in (False, True):
        how = "encoder frozen, each clip heard once" if frozen else "encoder learns"
        learner = Learner(build_policy(model, freeze_encoder=frozen), Optimizer(learning_rate=1e-5), 1000)
        todo[f"supervised update: {how}"] = _supervised(learner, mels)
    for algorithm, updates in (("ppo", 2), ("rloo", 1)):
        stage = RlStage(
            algorithm=algorithm,
            steps=1000,
            groups_per_step=GROUPS,
            sampling=SamplingConfig(samples=SAMPLES, temperature=0.7),
            updates_per_step=updates,
            micro_batch_size=MICRO_BATCH,
            optimizer=Optimizer(learning_rate=1e-5),
        )
        for frozen, shared in ((False, False), (True, False), (True, True)):
            how = f"encoder {'frozen' if frozen else 'learns'}, {'prompts once' if shared else 'a prompt each'}"
            learners = [
                Learner(build_policy(model, value_head=critic, freeze_encoder=frozen), stage.optimizer, 1000)
                for critic in (False, True)[: 2 if algorithm == "ppo" else 1]
            ]
            todo[f"{algorithm} step: {how}"] = _step(learners, mels, stage, shared=shared)
    return todo


def _supervised(learner: Learner, mels: Mels) -> Part:
    config = Tune(
        steps=1000,
        batch_size=SUPERVISED_BATCH,
        micro_batch_size=SUPERVISED_BATCH,
        optimizer=Optimizer(learning_rate=1e-5),
    )

    def update(turn: int) -> None:
        first = turn % 2 * SUPERVISED_BATCH
        rows = [_row(n, n, n) for n in range(first, first + SUPERVISED_BATCH)]
        work = work_of(rows, mels, config)
        learner.update(work.micro_batches, work.loss, work.names)

    return update


def _step(learners: list[Learner], mels: Mels, stage: RlStage, *, shared: bool) -> Part:
    policy, critic = learners[0], learners[1] if len(learners) > 1 else None
    longest = batches.LONG

    def step(turn: int) -> None:
        batches.LONG = longest if shared else 0  # no row is short enough to share
        groups = [[_sample(g, s) for s in range(SAMPLES)] for g in range(turn % 2 * GROUPS, (turn % 2 + 1) * GROUPS)]
        updates = updates_of(groups, stage, mels, seed=1, step=turn + 1)
        names = names_of(groups, seed=1, step=turn + 1)
        found = recall(policy, critic, updates, stage, names, first=not shared)
        learn(policy, critic, updates, stage, turn + 1, names, found)
        batches.LONG = longest

    return step


def _sample(group: int, index: int) -> Sample:
    row = _row(group, group, 1000 * group + index)
    logprobs = np.full(row.response_tokens, -6.6, dtype=np.float32)
    return Sample(group, row, float(index % 2), logprobs, None)


def _row(clip: int, prompt: int, response: int) -> Row:
    """A prompt with a clip, and a response of 15 to 31 tokens, its last one's length apart as a real group's."""
    words = _random(prompt).integers(20, 300, PROMPT - PATCHES)
    length = int(_random(response).integers(RESPONSE - 8, RESPONSE + 9))
    heard = np.full(PATCHES, PATCH)
    tokens = np.concatenate([words, heard, _random(response).integers(20, 300, length)]).astype(np.int64)
    return Row(tokens, PROMPT, (f"clip {clip}",), f"row {response}")


def sampling(rounds: int) -> dict[str, float]:
    """As many samples as a step has, from a rollout worker."""
    from benchmarks.rollout import Size, make_clips, make_model, mesh

    size = Size("toy", TOY, groups=GROUPS, max_tokens=RESPONSE)
    times = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        model_dir, _ = make_model(TOY, folder / "model")
        audio = make_clips(folder, size, rounds + WARM_UP)
        with mesh(model_dir, folder) as generate:
            for turn in range(rounds + WARM_UP):
                cpu = _cpu_of_children()
                seconds, _ = generate(size, "audio", audio, turn)
                if turn >= WARM_UP:
                    times.append((seconds, _cpu_of_children() - cpu))
    return _medians(times)


def _cpu_of_children() -> float:
    return sum(sum(process.cpu_times()[:2]) for process in psutil.Process().children(recursive=True))


def _medians(times: list[tuple[float, float]]) -> dict[str, float]:
    wall, cpu = zip(*times, strict=True)
    return {"seconds": statistics.median(wall), "cpu_seconds": statistics.median(cpu)}


def _random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


if __name__ == "__main__":
    sys.exit(main())
