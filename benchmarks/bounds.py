"""Whether `earwitness explain` names what bounds a real mesh, with each bottleneck provoked in turn.

    python -m benchmarks.bounds [--steps 8] [--staleness 0] [--record FILE] [rollout reward trainer weights]

One mesh of this machine (vLLM, Megatron-core, Redis) with the toy model; an RL job for each case, in which one kind of
process is held up by SIGSTOP and SIGCONT: the rollout worker and the trainer run a tenth of the time, finely cut, as on
too few or too slow processors; the reward worker answers every three seconds, as one that waits for a judge; the
weights' Redis every two, as over a slow link. Exit status 1 if another bound is named in any case. FILE gets the
figures that explain reads, by bound and step (`tests/unit/explain/bounds-<staleness>.json` are such).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from earwitness.client import TERMINAL, Mesh, state_name
from earwitness.explain import explain
from earwitness.local import control
from earwitness.local.plan import Options
from earwitness.local.state import read_state
from earwitness.local.sweep import tagged
from earwitness.probe.write import write_probe
from earwitness.recipe.schema import ProbeData
from earwitness.series import Steps, steps_of
from earwitness.wire.jobs.v1 import jobs_pb2

CASES = {
    "rollout": ("rollout-0", 0.18, 0.02),
    "reward": ("reward-0", 3.0, 0.2),
    "trainer": ("trainer", 0.18, 0.02),
    "weights": ("weights", 2.0, 0.1),
}
"""Bound that is provoked: whose processes are held up, for how many seconds at a time, and how long they then run."""

READ = ("seconds.", "work.", "workers.", "publish.", "staleness.")
"""Beginnings of the figures that speed is explained by."""

TOY = {
    "hidden_size": 64, "layers": 1, "heads": 2, "kv_heads": 2, "intermediate_size": 128, "vocab_size": 512,
    "max_positions": 256, "encoder_size": 64, "encoder_layers": 1, "encoder_heads": 2, "adapter_size": 64,
}  # fmt: skip
OPTIMIZER = {"learning_rate": 1.0e-3}
TUNE = {"type": "sft", "tune": {"steps": 5, "batch_size": 8, "micro_batch_size": 8, "optimizer": OPTIMIZER}}


def rl(steps: int, staleness: int = 0) -> dict[str, Any]:
    """A stage of short steps."""
    return {
        "type": "rl", "steps": steps, "groups_per_step": 4, "sampling": {"samples": 4, "max_tokens": 24},
        "optimizer": OPTIMIZER, "dynamic_filter": False, "checkpoint_every": 1000, "max_staleness": staleness,
    }  # fmt: skip


@contextmanager
def held_up(folder: Path, name: str, stopped: float, running: float) -> Iterator[None]:
    """Stops and continues all processes of one place of the mesh in `folder` in turn."""
    ended = threading.Event()

    def send(number: int, pids: list[int]) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def beat() -> None:
        state = read_state(folder)
        (place,) = [process for process in state.processes if process.name == name]
        pids = list({place.pid, *tagged(state.mesh, name)})  # a Redis carries no tag
        while not ended.wait(running):
            send(signal.SIGSTOP, pids)
            ended.wait(stopped)
            send(signal.SIGCONT, pids)

    beating = threading.Thread(target=beat)
    beating.start()
    try:
        yield
    finally:
        ended.set()
        beating.join()


def probe(folder: Path) -> dict[str, str]:
    """A few clips: manifests by split, written once."""
    return write_probe(str(folder / "data"), ProbeData(lessons=1, cold_start=32, train=24, eval=8, seed=3))


def done(
    client: Mesh, folder: Path, name: str, stages: list[dict[str, Any]], model: dict[str, Any], **given: Any
) -> Any:
    """A job of these stages at its good end, on the probe unless `given`, the rest of its recipe, has other data."""
    path = folder / f"{name}.yaml"
    recipe = {"name": name, "output": str(folder / "out"), "model": model, "data": probe(folder), "stages": stages}
    path.write_text(yaml.safe_dump(recipe | given))
    job = client.submit(path, request_id=uuid.uuid4().hex)
    while job.state not in TERMINAL:
        time.sleep(0.5)
        job = client.get(job.job_id)
    if state_name(job.state) != "succeeded":
        raise SystemExit(f"{name}: {state_name(job.state)}: {job.reason}")
    return job


def figures(events: Sequence[jobs_pb2.Event], read: tuple[str, ...]) -> Steps:
    """Of the job's RL steps the figures whose names begin so."""
    (steps,) = [steps for (_, stage, _), steps in steps_of(events).items() if stage == "rl"]
    return {
        step: {name: float(f"{value:.4g}") for name, value in told.items() if name.startswith(read)}
        for step, told in steps.items()
    }


def main() -> int:
    """Print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=8, help="RL steps of a case")
    parser.add_argument("--staleness", type=int, default=0, help="versions that a group may be behind")
    parser.add_argument("--record", type=Path, help="JSON file for the figures of the steps")
    parser.add_argument("cases", nargs="*", help="bounds to provoke; without any, all")
    given = parser.parse_args()
    steps, cases = given.steps, given.cases or list(CASES)
    wrong, recorded = 0, {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        state = control.start_detached(Options(folder / "mesh"), lambda line: None)
        try:
            with Mesh.connect(state.address, state.token) as client:
                first = done(client, folder, "warm", [TUNE, rl(2)], {"toy": TOY})
                # On one model, so that the rollout worker keeps its engine.
                model = {"path": f"{first.output_uri}/model"}
                for bound in cases:
                    with held_up(folder / "mesh", *CASES[bound]):
                        job = done(client, folder, bound, [rl(steps, given.staleness)], model)
                    events = list(client.events(job.job_id))
                    recorded[bound] = figures(events, READ)
                    (phase,) = [p for p in explain(events).phases if p.speed]
                    assert phase.speed is not None
                    wrong += phase.speed.bound != bound
                    verdict = "right" if phase.speed.bound == bound else "WRONG"
                    print(f"{bound:8} {verdict}: {phase.speed.words} ({phase.speed.step_seconds:.1f} s)", flush=True)
        finally:
            control.stop(folder / "mesh")
    if given.record:
        given.record.write_text(json.dumps(recorded, indent=1) + "\n")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
