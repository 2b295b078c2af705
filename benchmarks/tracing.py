"""What traces cost: a group's hooks in a loop, and a step of a real mesh with and without them.

    python -m benchmarks.tracing [--rounds 4] [--steps 30]

The hooks cost CPU seconds of this process. Their collector is one that takes nothing (a closed port), so that only our
side is measured: what is too much for the queue of the exporter is dropped, as beside a slow collector.

The steps are those of two meshes of this machine (vLLM, Megatron-core, Redis) with the toy model, one of which tells a
collector in this process of every group. They take turns, a job each, and who begins changes from round to round, so
that a machine that gets slower or faster meets both. All of it is done twice, since the mesh that is started first may
be slower or faster for that alone. Steps overlap: else the jobs service, which looks every half second what it may
issue, would be what a step of so small a model takes. A job's first step is left out: it starts things up. CPU seconds
are those of all processes of the mesh while its job runs, by the job's steps. `--rounds 0` leaves the meshes out.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import geometric_mean, median
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from benchmarks.bounds import TOY, TUNE, done, rl
from earwitness import tracing
from earwitness.client import Mesh
from earwitness.explain.speed import PARTS
from earwitness.local import control
from earwitness.local.plan import Options
from earwitness.local.state import MeshState
from earwitness.local.sweep import tagged
from earwitness.series import Steps, steps_of

CALLS = 20_000
WARM = 2
"""Steps of a job that does not count."""

OVERLAP = 4
"""Versions that a group may be behind: as many steps are under way beside the trainer's."""

STATIONS = ("rollout", "reward", "reference", "train", "publish", "load")

EXPORT = "opentelemetry.proto.collector.trace.v1.TraceService"


def micros(call: Callable[[], object]) -> float:
    """CPU microseconds of one call."""
    begun = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - begun) / CALLS * 1e6


def group() -> None:
    """A group's life."""
    context = tracing.root("issue", 1.0, 2.0, run="job/1-train/0", ordinal=7, lineage="job/0", min_version=3)
    for station in STATIONS:
        tracing.child(context, station, 2.0, 3.0, worker="rollout-0", ordinal=7, waited=0.5)


def hooks() -> tuple[str, float]:
    """What the hooks of one group cost, in words; and CPU seconds of a span."""
    off = micros(group)
    os.environ[tracing.VARIABLES[1]] = "http://127.0.0.1:1"
    tracing.start("benchmark", "0")
    told = micros(group)
    tracing.stop()
    sampler = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}
    os.environ |= sampler
    tracing.start("benchmark", "0")
    left_out = micros(group)
    tracing.stop()
    for name in (tracing.VARIABLES[1], *sampler):
        del os.environ[name]
    count = 1 + len(STATIONS)
    words = f"a group's {count} hooks, us of CPU: off {off:.2f}, told {told:.0f}, not sampled {left_out:.0f}"
    return words, told / count / 1e6


@contextmanager
def collector() -> Iterator[tuple[str, list[int]]]:
    """A collector of this process that only counts: its address, and the spans of each batch."""
    batches: list[int] = []

    def export(request: bytes, context: grpc.ServicerContext) -> bytes:
        told = ExportTraceServiceRequest.FromString(request).resource_spans
        batches.append(sum(len(scope.spans) for of in told for scope in of.scope_spans))
        return ExportTraceServiceResponse().SerializeToString()

    server = grpc.server(futures.ThreadPoolExecutor(2))
    handler = grpc.unary_unary_rpc_method_handler(export)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(EXPORT, {"Export": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}", batches
    finally:
        server.stop(None).wait()


@dataclass
class Side:
    """One of the two meshes, and what its jobs took."""

    folder: Path
    state: MeshState
    client: Mesh
    seconds: list[float] = field(default_factory=list)
    """Of each step."""
    cpu: list[float] = field(default_factory=list)
    """CPU seconds of a step, job by job."""

    def warm(self, model: dict[str, Any] | None = None) -> Any:
        """Runs what does not count, the same on both: the first job of all makes the model."""
        stages = [TUNE, rl(WARM)] if model is None else [rl(WARM)]
        return done(self.client, self.folder, f"warm-{len(stages)}", stages, model or {"toy": TOY})

    def job(self, name: str, steps: int, model: dict[str, Any]) -> None:
        """Runs one."""
        before = cpu_seconds(self.state.mesh)
        job = done(self.client, self.folder, name, [rl(steps, OVERLAP)], model)
        self.cpu.append((cpu_seconds(self.state.mesh) - before) / steps)
        (told,) = [t for t in steps_of(self.client.events(job.job_id)).values() if "seconds.wait" in t[max(t)]]
        self.seconds += step_seconds(told)


def step_seconds(steps: Steps) -> list[float]:
    """Of each step but the first."""
    return [sum(steps[step].get(f"seconds.{part}", 0.0) for part in PARTS) for step in sorted(steps)[1:]]


def cpu_seconds(mesh: str) -> float:
    """What the mesh's processes, and their children that have ended, have taken since they began."""
    ticks = 0
    for pid in tagged(mesh):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended: its parent has its time
            continue
        ticks += sum(int(ticked) for ticked in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def side(folder: Path, environment: dict[str, str]) -> Iterator[Side]:
    """A mesh that is started with these variables, as long as the block runs."""
    folder.mkdir()
    os.environ |= environment
    state = control.start_detached(Options(folder / "mesh"), lambda line: None)
    for name in environment:
        del os.environ[name]
    try:
        with Mesh.connect(state.address, state.token) as client:
            yield Side(folder, state, client)
    finally:
        control.stop(folder / "mesh")


def turns(first: str, rounds: int, steps: int, address: str, batches: list[int]) -> dict[str, Side]:
    """Both meshes, `off` and `on`, in turn; `first`: which is started first. SystemExit if `off` tells of spans."""
    sides: dict[str, Side] = {}
    told = len(batches)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in sorted(("off", "on"), key=lambda name: name != first):
            environment = {tracing.VARIABLES[1]: address} if name == "on" else {}
            sides[name] = stack.enter_context(side(folder / name, environment))
            model = {"path": f"{sides[name].warm().output_uri}/model"}
            if "on" not in sides and len(batches) > told:
                raise SystemExit("a mesh without a collector has told of spans")
        for mesh in sides.values():  # the engine is made anew for another model
            mesh.warm(model)
        for number in range(rounds):
            for mesh in list(sides.values())[:: 1 if number % 2 else -1]:
                mesh.job(f"round-{number}", steps, model)
    return sides


def measured(rounds: int, steps: int, span: float, show: Callable[[str], None]) -> None:
    """Tells what steps take, off and on. `span`: CPU seconds of one."""
    found: dict[str, list[float]] = {"seconds": [], "CPU seconds": []}
    cpu: list[float] = []
    with collector() as (address, batches):
        for first in ("off", "on"):
            sides = turns(first, rounds, steps, address, batches)
            off, on = sides["off"], sides["on"]
            cpu += off.cpu
            for what, without, traced in (("seconds", off.seconds, on.seconds), ("CPU seconds", off.cpu, on.cpu)):
                found[what].append(median(traced) / median(without))
                medians = f"off {median(without):.3f}, on {median(traced):.3f}"
                show(f"{first} started first, {what} of a step, medians: {medians}; ratio {found[what][-1]:.3f}")
    for what, ratios in found.items():
        show(f"{what} of a step, on by off, whoever is first: {geometric_mean(ratios):.3f}")
    spans = sum(batches) / 2 / (2 * WARM + rounds * steps)  # all have come: the meshes have ended
    share = spans * span / median(cpu)
    show(f"{spans:.0f} spans a step, {span * 1e6:.0f} us of CPU each: {share:.2%} of the CPU seconds of a step")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=4, help="jobs of each mesh")
    parser.add_argument("--steps", type=int, default=30, help="RL steps of a job")
    given = parser.parse_args()
    logging.disable()
    words, span = hooks()
    print(words, flush=True)
    if given.rounds:
        measured(given.rounds, given.steps, span, lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()
