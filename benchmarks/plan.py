"""The memory that `earwitness plan` predicts against what real training steps need, on the CPU.

    python benchmarks/plan.py            the table
    python benchmarks/plan.py --json     the same as JSON

Each configuration trains in a process of its own: two updates of the trainer's own loop on made-up rows with clips.
Measured is the largest sum of torch's allocations alive at one time in the second update, when the optimizer has its
state: torch's profiler books every allocation and release. The process's resident size would also count what malloc
keeps, Python and the libraries.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

from earwitness.families.architecture import Architecture
from earwitness.families.dims import AudioDims, DecoderDims
from earwitness.families.registry import MADE
from earwitness.plan.memory import Parallelism, memory
from earwitness.plan.work import Work

ROOT = Path(__file__).parents[1]
LIMIT_SECONDS = 300.0
MB = 1e6
BOUND = 0.10
"""Largest error that the model may have."""


def architecture(hidden: int, mlp: int, layers: int, vocabulary: int, encoder: int) -> Architecture:
    """Heads of 64 channels, a key-value head for four of them."""
    decoder = DecoderDims(hidden, mlp, layers, hidden // 64, hidden // 256, vocabulary, 4096, 1e-5, 1e6)
    audio = AudioDims(128, 1500, encoder, encoder // 64, 2, 4 * encoder, 2 * encoder, 0, True)
    return Architecture(MADE, decoder, audio)


_ONE = Work(
    stage="sft",
    architecture=architecture(512, 1536, 4, 32_768, 256),
    bytes=4,
    sequence=512,
    rows=2,
    batch=2,
    updates=1,
    responses=384,
    critic=False,
    rl=False,
    entropy=False,
    freeze_encoder=False,
    sequence_parallel=True,
    distributed_optimizer=False,
    recompute=False,
    clips=2,
    frames=1000,
    fused=False,
)
CONFIGURATIONS = {
    "sft, 2 rows of 512 tokens": _ONE,
    "sft, layers run again": replace(_ONE, recompute=True),
    "ppo with critic, a row of 1,024 tokens": replace(
        _ONE,
        stage="ppo",
        architecture=architecture(512, 1024, 4, 16_384, 128),
        sequence=1024,
        rows=1,
        batch=1,
        responses=512,
        critic=True,
        rl=True,
        clips=1,
    ),
    # Small: a CPU without instructions for bf16 takes twenty times as long as in fp32.
    "sft in bf16, encoder frozen, a row of 384 tokens": replace(
        _ONE,
        architecture=architecture(512, 1536, 2, 8192, 256),
        bytes=2,
        sequence=384,
        responses=256,
        rows=1,
        batch=1,
        freeze_encoder=True,
        clips=1,
    ),
}


def main() -> int:
    """Exit status 1 if a prediction is further off than BOUND."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(CONFIGURATIONS[arguments.measure])))
        return 0
    results = [compared(name, work) for name, work in CONFIGURATIONS.items()]
    if arguments.json:
        print(json.dumps(results))
    else:
        parts = list(results[0]["parts"])
        print(f"{'MB':52}" + "".join(f"{part:>12}" for part in [*parts, "predicted", "measured", "error"]))
        for result in results:
            numbers = [result["parts"][part] for part in parts] + [result["predicted"], result["measured"]]
            row = "".join(f"{number / MB:12.0f}" for number in numbers)
            print(f"{result['configuration']:52}{row}{100 * result['error']:+11.1f} %")
    return int(any(abs(result["error"]) > BOUND for result in results))


def compared(name: str, work: Work) -> dict:
    """Prediction and measurement of one configuration, bytes."""
    predicted = memory(work, Parallelism(1, 1, 1), micro_batches=1)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--measure", name],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")},
        stdout=subprocess.PIPE,
        text=True,
        timeout=LIMIT_SECONDS,
        check=True,
    )
    measured = json.loads(done.stdout.splitlines()[-1])["peak"]
    error = predicted.total / measured - 1
    answer = {"configuration": name, "parts": asdict(predicted), "predicted": predicted.total}
    return {**answer, "measured": measured, "error": error}


def measure(work: Work) -> dict[str, float]:
    """Two updates; the largest sum of live allocations in the second, bytes."""
    sys.path[0] = str(ROOT)  # instead of this folder, whose trainer.py is not the package
    import torch

    torch.set_num_threads(1)
    from trainer.ranks import parallel

    parallel.initialize(1, 1)
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        update = updating(work)
        update(1)
        begun = time.time_ns()
        update(2)
    alive = peak = 0
    events = (e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]")
    for event in sorted(events, key=lambda e: e.start_ns()):
        alive += event.nbytes()
        if event.start_ns() >= begun:
            peak = max(peak, alive)
    return {"peak": peak}


def updating(work: Work):
    """A function that takes update number n with the trainer's own loops."""
    import numpy as np
    import torch

    from earwitness.recipe.schema import Optimizer, Tune
    from earwitness.recipe.stages import RlStage
    from trainer.batches import Row
    from trainer.learner import Learner
    from trainer.model.policy import PolicyModel
    from trainer.rl.experience import names_of, updates_of
    from trainer.rl.groups import Sample
    from trainer.rl.learn import learn
    from trainer.rl.recall import recall
    from trainer.tuning.supervised import work_of

    audio_patch, random = 1, np.random.default_rng(0)
    dtype = torch.bfloat16 if work.bytes == 2 else torch.float32
    config = Optimizer(learning_rate=1e-4)

    def learner(*, value_head: bool) -> Learner:
        how = {"value_head": value_head, "dtype": dtype, "recompute": work.recompute}
        module = PolicyModel(work.architecture, audio_patch, **how)
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter, std=0.02)
        if work.freeze_encoder:
            module.audio.encoder.requires_grad_(False)
        return Learner(module, config, 100)

    heard = work.architecture.family.audio_tokens(work.frames)
    rows, mels = [], {}
    for number in range(work.rows):
        tokens = random.integers(2, work.architecture.decoder.vocab_size, work.sequence)
        tokens[:heard] = audio_patch
        clip = f"clip {number % work.clips}"
        mels[clip] = [random.standard_normal((128, work.frames)).astype(np.float32)]
        rows.append(Row(tokens, work.sequence - work.responses, (clip,), f"row {number}"))
    if not work.rl:
        policy, tune = learner(value_head=False), Tune(steps=2, optimizer=config)

        def supervised(step: int) -> None:
            made = work_of(rows, mels, tune)
            policy.update(made.micro_batches, made.loss, made.names)

        return supervised
    policy, critic = learner(value_head=False), learner(value_head=True)
    stage = RlStage(steps=2, optimizer=config, logprob_gap_bound=1e6)
    logprobs = np.full(work.responses, -10.0, dtype=np.float32)
    groups = [
        [Sample(ordinal=n, row=row, reward=1.0, rollout_logprobs=logprobs, reference_logprobs=None)]
        for n, row in enumerate(rows)
    ]

    def reinforced(step: int) -> None:
        updates = updates_of(groups, stage, mels, seed=1, step=step)
        names = names_of(groups, seed=1, step=step)
        found = recall(policy, critic, updates, stage, names)
        learn(policy, critic, updates, stage, step, names, found)

    return reinforced


if __name__ == "__main__":
    sys.exit(main())
