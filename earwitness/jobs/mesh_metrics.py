"""What the jobs service shows of the whole mesh on /metrics: queue, dead letters, weight versions, the running job.

The other services show themselves; only this one sees who lags behind whom.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence

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


def _of(name: str, values: Iterable[tuple[Sequence[str], float]]) -> GaugeMetricFamily:
    """The series `ew_<name>`: a value for each set of labels."""
    name, text, labels = series(name)
    family = GaugeMetricFamily(name, text, labels=labels)
    for given, value in values:
        family.add_metric(given, value)
    return family


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
        yield _of("queue_up", [([], float(seen is not None))])
        if seen is not None:
            yield from figures(seen)


def figures(seen: wire.GetMeshResponse) -> Iterator[Metric]:
    """What a mesh looks like in figures; what there is none of has no sample."""
    streams = [stream for stream in seen.streams if stream.stream != DEAD]
    yield _of("queue_waiting", (([s.stream], s.waiting) for s in streams))
    yield _of("queue_pending", (([s.stream], s.pending) for s in streams))
    yield _of("queue_oldest_seconds", (([s.stream], s.oldest_seconds) for s in streams))
    yield _of("queue_dead_letters", (([], s.waiting) for s in seen.streams if s.stream == DEAD))
    yield _of("worker_version", (([w.role, w.name], w.version) for w in seen.workers))
    if not seen.HasField("active"):
        return
    job = seen.active
    yield _of("job_state", [([job.job_id, state_name(job.state)], 1)])
    yield _of("job_trouble", (([rule], 1) for rule in job.trouble))
    alone = {
        "job_stage": job.stage_index,
        "job_step": job.step,
        "job_steps": job.steps,
        "weights_published_version": seen.version,
        **({} if job.state == wire.JOB_STATE_PAUSED else {"job_still_seconds": seen.still_seconds}),
    }
    yield from (_of(name, [([], value)]) for name, value in alone.items())
