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
from earwitness.wire.jobs.v1 import jobs_pb2 as wire

LOOK_SECONDS = 5.0
"""Between two looks: shorter than the usual interval of a scrape, and a few cheap commands each."""

DEAD = "dead"


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
        yield GaugeMetricFamily("ew_queue_up", "1 if the queue Redis answers", float(seen is not None))
        if seen is not None:
            yield from figures(seen)


def figures(seen: wire.GetMeshResponse) -> Iterator[Metric]:
    """What a mesh looks like in figures; what there is none of has no sample."""
    waiting = GaugeMetricFamily("ew_queue_waiting", "Entries of a stream that nobody has taken", labels=["stream"])
    pending = GaugeMetricFamily("ew_queue_pending", "Entries of a stream that a worker holds", labels=["stream"])
    oldest = GaugeMetricFamily("ew_queue_oldest_seconds", "Age of the oldest entry of a stream", labels=["stream"])
    dead = GaugeMetricFamily("ew_queue_dead_letters", "Tasks given up because each try lost its worker")
    for stream in seen.streams:
        if stream.stream == DEAD:
            dead.add_metric([], stream.waiting)
            continue
        waiting.add_metric([stream.stream], stream.waiting)
        pending.add_metric([stream.stream], stream.pending)
        oldest.add_metric([stream.stream], stream.oldest_seconds)
    version = GaugeMetricFamily("ew_worker_version", "Weight version that a worker serves", labels=["role", "worker"])
    for worker in seen.workers:
        version.add_metric([worker.role, worker.name], worker.version)
    yield from (waiting, pending, oldest, dead, version)
    if seen.HasField("active"):
        yield from _job_figures(seen)


def _job_figures(seen: wire.GetMeshResponse) -> Iterator[Metric]:
    job = seen.active
    state = GaugeMetricFamily("ew_job_state", "1 for the job that the mesh works on", labels=["job_id", "state"])
    state.add_metric([job.job_id, state_name(job.state)], 1)
    yield state
    yield GaugeMetricFamily("ew_job_stage", "Index of the running job's stage", job.stage_index)
    yield GaugeMetricFamily("ew_job_step", "Steps done in the running job's phase", job.step)
    yield GaugeMetricFamily("ew_job_steps", "Steps of the running job's phase; 0 while unknown", job.steps)
    yield GaugeMetricFamily("ew_weights_published_version", "Newest weight version of the running job", seen.version)
    if job.state != wire.JOB_STATE_PAUSED:
        yield GaugeMetricFamily("ew_job_still_seconds", "Seconds since the running job last got on", seen.still_seconds)
