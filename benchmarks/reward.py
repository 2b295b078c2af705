"""How fast the reward is: measuring clips, reading traces, scoring trajectories, hostile text; and how exact.

    python benchmarks/reward.py [--json]

CPU time of one core, so that other work on the machine does not count, except for the rate over gRPC; medians.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import statistics
import sys
import tempfile
import time
import timeit
from collections.abc import Callable
from pathlib import Path

import grpc
import numpy as np
import soundfile

sys.path[0] = str(Path(__file__).resolve().parent.parent)  # else this file would hide the package `reward`

from earwitness.audio import SAMPLE_RATE  # noqa: E402
from earwitness.log import get_logger  # noqa: E402
from earwitness.wire.reward.v1 import reward_pb2, reward_pb2_grpc  # noqa: E402
from earwitness.wire.trajectory.v1 import trajectory_pb2  # noqa: E402
from reward.measure import measure  # noqa: E402
from reward.measure.facts import Samples  # noqa: E402
from reward.parse import extract_claims  # noqa: E402
from reward.score import score, score_group  # noqa: E402
from reward.scoring import ScoringProcess  # noqa: E402
from services.reward import RewardService  # noqa: E402

REPEATS = 15
"""Median of so many."""
GROUPS_AT_ONCE = 4
"""Requests in flight."""
TRACE = (
    "I listen closely to the recording from its beginning to its end. The first tone is near 440 Hz and lasts about "
    "0.30 s, and the second is near 620 Hz and lasts about 0.60 s, so the second is higher and longer. "
    "The second is about 8 dB louder than the first, and neither has more than a single partial. "
)
ANSWERED = "The first tone is near 440 Hz and the second is near 620 Hz, so the second is higher.\n</think>\nsecond"
HOSTILE = {
    "tags": "<think></think>",
    "digits": "1234567890",
    "phrases": "the first is higher than the second ",
    "negations": "not no never ",
    "numbers": "after 440, 550 and 660 Hz ",
    "doubts": "the pitch rises and would fall ",
    "apostrophes": "'a ",
    "choices": "(A) rises ",
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = options.parse_args()
    result = figures()
    if arguments.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:32} {value}")


def figures() -> dict[str, object]:
    """Every figure of this benchmark."""
    rng = np.random.default_rng(1)
    two, ten = _clip(2.0, rng), _clip(10.0, rng)
    measurement = measure(two)
    prompt = trajectory_pb2.Prompt(
        question="Which tone is higher?",
        choices=["first", "second"],
        answer="second",
        verifier=trajectory_pb2.VERIFIER_CHOICE,
        audio_uri="clip",
    )
    rule = trajectory_pb2.RewardRule(
        weights={"correct": 0.8, "grounded": 0.2},
        min_think_chars=16,
    )
    trajectory = trajectory_pb2.Trajectory(text=ANSWERED, finish_reason=trajectory_pb2.FINISH_REASON_STOP)
    trace = (TRACE * 20).split(" ")[:500]
    return {
        "measure_2s_ms": _ms(lambda: measure(two)),
        "measure_10s_ms": _ms(lambda: measure(ten)),
        "trace_500_words_ms": _ms(lambda: extract_claims(" ".join(trace), prompt)),
        "score_trajectory_ms": _ms(lambda: score(trajectory, prompt, rule, [measurement])),
        "trajectories_per_second": round(_rate(prompt, rule, trajectory, two)),
        "grpc_trajectories_per_second": round(asyncio.run(_grpc_rate(prompt, rule, trajectory, two))),
        "hostile_ms": {
            str(kb): max(_ms(lambda t=pattern * (kb * 1000 // len(pattern)): _score_text(t, prompt, rule, measurement))
                         for pattern in HOSTILE.values())
            for kb in (10, 50, 100)
        },
    }  # fmt: skip


def _score_text(text: str, prompt: trajectory_pb2.Prompt, rule: trajectory_pb2.RewardRule, measurement: object) -> None:
    trajectory = trajectory_pb2.Trajectory(text=text, finish_reason=trajectory_pb2.FINISH_REASON_STOP)
    score(trajectory, prompt, rule, [measurement])  # type: ignore[arg-type]


def _rate(
    prompt: trajectory_pb2.Prompt,
    rule: trajectory_pb2.RewardRule,
    trajectory: trajectory_pb2.Trajectory,
    samples: Samples,
) -> float:
    """Trajectories a second through score_group in groups of 16, the clip's measurement cached."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.flac"
        soundfile.write(path, samples, SAMPLE_RATE)
        task = trajectory_pb2.GroupTask(prompt=prompt, reward=rule)
        task.prompt.audio_uri = str(path)
        group = trajectory_pb2.Group(task=task, trajectories=[trajectory] * 16)
        score_group(group)
        return 16 * 1000 / _ms(lambda: score_group(group))


async def _grpc_rate(
    prompt: trajectory_pb2.Prompt,
    rule: trajectory_pb2.RewardRule,
    trajectory: trajectory_pb2.Trajectory,
    samples: Samples,
) -> float:
    """Trajectories a second of wall time through RewardService.Score, in groups of 16, the measurement cached.

    Client, server and scoring process share one core.
    """
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder, ScoringProcess(get_logger("benchmark")) as scoring:
        path = Path(folder) / "clip.flac"
        soundfile.write(path, samples, SAMPLE_RATE)
        group = trajectory_pb2.Group(trajectories=[trajectory] * 16)
        group.task.prompt.CopyFrom(prompt)
        group.task.reward.CopyFrom(rule)
        group.task.prompt.audio_uri = str(path)
        server = grpc.aio.server()
        reward_pb2_grpc.add_RewardServiceServicer_to_server(RewardService(scoring), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = reward_pb2_grpc.RewardServiceStub(channel)
            request = reward_pb2.ScoreRequest(group=group)
            await stub.Score(request)
            rates = []
            for _ in range(REPEATS):
                started = time.perf_counter()
                await asyncio.gather(*(stub.Score(request) for _ in range(GROUPS_AT_ONCE)))
                rates.append(16 * GROUPS_AT_ONCE / (time.perf_counter() - started))
        await server.stop(None)
        return statistics.median(rates)


def _clip(seconds: float, rng: np.random.Generator) -> Samples:
    """Tones of 0.3 s every 0.5 s in noise 30 dB below."""
    times = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    hz = rng.uniform(200, 900, int(seconds / 0.5) + 1)[(times / 0.5).astype(int)]
    tone = np.sin(2 * np.pi * np.cumsum(hz) / SAMPLE_RATE) * ((times % 0.5) < 0.3)
    return (0.1 * tone + 0.002 * rng.standard_normal(len(times))).astype(np.float32)


def _ms(work: Callable[[], object]) -> float:
    work()
    times = timeit.repeat(work, gc.enable, time.process_time, REPEATS, 1)  # garbage is collected as ever
    return round(statistics.median(times) * 1000, 3)


if __name__ == "__main__":
    main()
