"""What traces cost: a group's hooks in a loop, and all that tracing takes of a step of a real mesh.

    python -m benchmarks.tracing [--steps 60]

The hooks cost CPU seconds of this process. Their collector is one that takes nothing (a closed port), so that only our
side is measured: what is too much for the queue of the exporter is dropped, as beside a slow collector.

The mesh (vLLM, Megatron-core, Redis, the toy model) runs twice: once with nobody to tell, and once telling a collector
in this process of every group. Two meshes, and a mesh and itself a minute later, differ by more than tracing costs. So
what it costs is measured where it is spent: each process adds up the CPU seconds of its threads inside the functions of
`earwitness.tracing` and of the thread that exports (`benchmarks.tracing_cost`), over its whole life. Only gRPC's own
threads, which other calls use as well, are measured in a process that does nothing else, by the export. Steps overlap:
else the jobs service, which looks every half second what it may issue, would be what a step of so small a model takes.
The CPU seconds of a step are those of all processes of the mesh while the job runs.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
import timeit
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from benchmarks.toy_mesh import TOY, TUNE, rl, toy_mesh
from benchmarks.tracing_cost import Cost
from earwitness import tracing
from earwitness.explain.speed import PARTS
from earwitness.local.sweep import tagged
from earwitness.series import Steps, steps_of

CALLS = 20_000
WARM = 2
"""Steps of the job that makes the model."""

OVERLAP = 4
"""Versions that a group may be behind: as many steps are under way beside the trainer's."""

EXPORTS = 40
"""By which gRPC's own threads are measured."""

STATIONS = ("rollout", "reward", "reference", "train", "publish", "load")

EXPORT = "opentelemetry.proto.collector.trace.v1.TraceService"

LOADED = """\
import os, pathlib, sys
if os.environ.get("EW_NAME"):
    sys.path.insert(0, {root!r})
    from benchmarks.tracing_cost import Measured
    Measured(pathlib.Path({folder!r}))
"""
"""A `sitecustomize` for the processes of a mesh."""


def micros(call: Callable[[], object]) -> float:
    """CPU microseconds of one call; garbage is collected as ever."""
    return timeit.timeit(call, gc.enable, time.process_time, CALLS) / CALLS * 1e6


def group() -> None:
    """A group's life."""
    context = tracing.root("issue", 1.0, 2.0, run="job/1-train/0", ordinal=7, lineage="job/0", min_version=3)
    for station in STATIONS:
        tracing.child(context, station, 2.0, 3.0, worker="rollout-0", ordinal=7, waited=0.5)


def hooks() -> str:
    """What the hooks of one group cost, in words."""
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
    return f"a group's {count} hooks, us of CPU: off {off:.2f}, told {told:.0f}, not sampled {left_out:.0f}"


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


@dataclass(frozen=True)
class Run:
    """A job on a mesh, and what tracing took of the mesh's life."""

    step_seconds: float
    """Mean over the job's steps, but for the first: it starts things up."""
    step_cpu: float
    """CPU seconds of all processes while the job ran, by its steps."""
    steps: int
    """Of all jobs that the mesh has seen."""
    costs: list[Cost]
    """Of each process."""


def run(steps: int, collector: Mapping[str, str]) -> Run:
    """A mesh from its start to its end, with a job of so many steps. `collector`: the variable that names one."""
    with tempfile.TemporaryDirectory() as loaded, tempfile.TemporaryDirectory() as told:
        root = str(Path(__file__).parents[1])
        Path(loaded, "sitecustomize.py").write_text(LOADED.format(root=root, folder=told))
        path = os.pathsep.join([loaded, *filter(None, [os.environ.get("PYTHONPATH")])])
        with toy_mesh({"PYTHONPATH": path, **collector}) as mesh:
            first = mesh.done("warm", [TUNE, rl(WARM)], {"toy": TOY})
            before = cpu_seconds(mesh.state.mesh)
            job = mesh.done("measured", [rl(steps, OVERLAP)], {"path": f"{first.output_uri}/model"})
            cpu = cpu_seconds(mesh.state.mesh) - before
            figures = steps_of(mesh.client.events(job.job_id)).values()
        (of_trainer,) = [found for found in figures if "seconds.wait" in found[max(found)]]
        costs = [Cost(**json.loads(file.read_text())) for file in Path(told).glob("*.json")]
    return Run(step_seconds(of_trainer), cpu / steps, WARM + steps, costs)


def step_seconds(steps: Steps) -> float:
    """Of each step but the first, on average."""
    return mean(sum(steps[step].get(f"seconds.{part}", 0.0) for part in PARTS) for step in sorted(steps)[1:])


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


def of_grpc(spans: int, collector: Mapping[str, str]) -> float:
    """CPU seconds that gRPC's own threads take to export so many spans."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.tracing_cost", str(EXPORTS), str(spans), folder]
        environment = {**os.environ, **collector, "OTEL_BSP_SCHEDULE_DELAY": "20"}
        return float(subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout)


def measured(steps: int) -> None:
    """Print what tracing takes of a step, off and on. SystemExit if a mesh that has nobody to tell tells of spans."""
    with collector() as (address, batches):
        off = run(steps, {})
        if batches or any(cost.spans for cost in off.costs):
            raise SystemExit("a mesh without a collector has told of spans")
        hooks = sum(cost.hooks for cost in off.costs) / off.steps
        print(
            f"off: 0 spans; hooks take {hooks * 1e6:.0f} us of CPU a step, {hooks / off.step_cpu:.4%} of it", flush=True
        )
        there = {tracing.VARIABLES[1]: address}
        on = run(steps, there)
        exports, spans = (sum(getattr(cost, name) for cost in on.costs) for name in ("exports", "spans"))
        if spans != sum(batches):
            raise SystemExit(f"{spans} spans were told, and {sum(batches)} have come")
        grpc_seconds = of_grpc(round(spans / exports), there)
    shares = defaultdict[str, float](float)
    for cost in on.costs:
        shares[cost.service] += cost.hooks + cost.exporter + cost.exports * grpc_seconds
    parts = {
        "hooks": sum(cost.hooks for cost in on.costs),
        "exporting threads": sum(cost.exporter for cost in on.costs),
        "gRPC's threads": exports * grpc_seconds,
    }
    total = sum(parts.values()) / on.steps
    words = ", ".join(f"{name} {seconds / on.steps * 1e3:.2f}" for name, seconds in [*parts.items(), *shares.items()])
    print(f"on, ms of CPU a step: {words}; {spans / on.steps:.0f} spans, {exports / on.steps:.2f} exports")
    print(
        f"on: {total / on.step_cpu:.2%} of the CPU of a step ({on.step_cpu:.2f} s), and {total / on.step_seconds:.2%} "
        f"of its seconds ({on.step_seconds:.2f}) if nothing else was done meanwhile"
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=60, help="RL steps of the job; 0 leaves the mesh out")
    given = parser.parse_args()
    logging.disable()
    print(hooks(), flush=True)
    if given.steps:
        measured(given.steps)


if __name__ == "__main__":
    main()
