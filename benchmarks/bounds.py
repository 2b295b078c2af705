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
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.toy_mesh import TOY, TUNE, rl, toy_mesh
from earwitness.explain import explain
from earwitness.local.state import read_state
from earwitness.local.sweep import tagged
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
    with toy_mesh() as mesh:
        first = mesh.done("warm", [TUNE, rl(2)], {"toy": TOY})
        # On one model, so that the rollout worker keeps its engine.
        model = {"path": f"{first.output_uri}/model"}
        for bound in cases:
            with held_up(mesh.folder, *CASES[bound]):
                job = mesh.done(bound, [rl(steps, given.staleness)], model)
            events = list(mesh.client.events(job.job_id))
            recorded[bound] = figures(events, READ)
            (phase,) = [p for p in explain(events).phases if p.speed]
            assert phase.speed is not None
            wrong += phase.speed.bound != bound
            verdict = "right" if phase.speed.bound == bound else "WRONG"
            print(f"{bound:8} {verdict}: {phase.speed.words} ({phase.speed.step_seconds:.1f} s)", flush=True)
    if given.record:
        given.record.write_text(json.dumps(recorded, indent=1) + "\n")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
