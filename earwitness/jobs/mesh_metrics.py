"""What the jobs service shows of the whole mesh on /metrics: queue, dead letters, weight versions, the running job.

The other services show themselves; only this one sees who lags behind whom.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from earwitness.client import state_name
from earwitness.errors import InfrastructureError
from earwitness.jobs.mesh import MeshView
from earwitness.metrics import series
from earwitness.wire.jobs.v1 import jobs_pb2 as wire

LOOK_SECONDS = 5.0
"""Between two looks: shorter than the usual interval of a scrape, and a few cheap commands each."""

DEAD = "dead"


def _labelled(name: str) -> GaugeMetricFamily:
    name, text, labels = series(name)
    return GaugeMetricFamily(name, text, labels=labels)


def _single(name: str, value: float) -> GaugeMetricFamily:
    name, text, _ = series(name)
    return GaugeMetricFamily(name, text, value)


class MeshMetrics(Collector):
    """The mesh as of the last look. While the queue Redis does not answer, only `ew_queue_up` is shown."""

    def __init__(self, mesh: MeshView) -> None:
        self._mesh = mesh
        self._seen: wire.GetMeshResponse | None = None

    async def follow(self) -> None:
        """Look again and again until cancelled."""
        while True:
            try:
                self._seen = await self._mesh.describe()
            except InfrastructureError:
                self._seen = None
            await asyncio.sleep(LOOK_SECONDS)

    def collect(self) -> Iterator[Metric]:
        """The figures, for prometheus_client."""
        seen = self._seen
        yield _single("queue_up", float(seen is not None))
        if seen is not None:
            yield from figures(seen)


def figures(seen: wire.GetMeshResponse) -> Iterator[Metric]:
    """What a mesh looks like in figures; what there is none of has no sample."""
    waiting = _labelled("queue_waiting")
    pending = _labelled("queue_pending")
    oldest = _labelled("queue_oldest_seconds")
    dead = _labelled("queue_dead_letters")
    for stream in seen.streams:
        if stream.stream == DEAD:
            dead.add_metric([], stream.waiting)
            continue
        waiting.add_metric([stream.stream], stream.waiting)
        pending.add_metric([stream.stream], stream.pending)
        oldest.add_metric([stream.stream], stream.oldest_seconds)
    version = _labelled("worker_version")
    for worker in seen.workers:
        version.add_metric([worker.role, worker.name], worker.version)
    yield from (waiting, pending, oldest, dead, version)
    if seen.HasField("active"):
        yield from _job_figures(seen)


def _job_figures(seen: wire.GetMeshResponse) -> Iterator[Metric]:
    job = seen.active
    state = _labelled("job_state")
    state.add_metric([job.job_id, state_name(job.state)], 1)
    yield state
    trouble = _labelled("job_trouble")
    for rule in job.trouble:
        trouble.add_metric([rule], 1)
    yield trouble
    yield _single("job_stage", job.stage_index)
    yield _single("job_step", job.step)
    yield _single("job_steps", job.steps)
    yield _single("weights_published_version", seen.version)
    if job.state != wire.JOB_STATE_PAUSED:
        yield _single("job_still_seconds", seen.still_seconds)
