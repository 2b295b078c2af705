"""How the mesh is: who is here, what waits where and for how long, whether the job gets on."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import redis.asyncio

from earwitness.artifacts import outline
from earwitness.errors import NotFoundError
from earwitness.jobs import keys
from earwitness.jobs.store import JobStore
from earwitness.queue import DEAD, Announced, AsyncQueue
from earwitness.queue.commands import WORKER_SECONDS
from earwitness.queue.names import STREAMS, WORKER
from earwitness.wire.jobs.v1 import jobs_pb2 as wire
from earwitness.wire.trajectory.v1.trajectory_pb2 import Group

PREFIX = "ew:"

NAMED = 10
"""Ordinals that are named where the one that was asked for is not there."""


class MeshView:
    """Reads presence, streams and the running job."""

    def __init__(self, store: JobStore, queue: AsyncQueue, redis: redis.asyncio.Redis) -> None:
        self._store = store
        self._queue = queue
        self._redis = redis
        self._ages: Any = redis.register_script(keys.script("ages"))

    async def describe(self) -> wire.GetMeshResponse:
        """The mesh now."""
        active = await self._store.running()
        streams = [
            wire.StreamLag(stream=lag.stream.removeprefix(PREFIX), waiting=lag.waiting, pending=lag.pending)
            for lag in await self._queue.lag()
        ]
        streams.append(wire.StreamLag(stream=DEAD.removeprefix(PREFIX), waiting=await self._redis.xlen(DEAD)))
        for stream, milliseconds in zip(streams, await self._ages([*STREAMS, DEAD]), strict=True):
            stream.oldest_seconds = max(0, milliseconds) / 1000
        moved_at = 0.0 if active is None else await self._store.moved_at(active.job_id)
        return wire.GetMeshResponse(
            workers=[await self._worker(w) for w in await self._queue.workers()],
            streams=streams,
            active=None if active is None else active.wire(),
            version=0 if active is None else active.published,
            still_seconds=max(0.0, time.time() - moved_at) if moved_at else 0.0,
            ledger=await self._ledger(),
        )

    async def groups(self, job_id: str) -> list[Group]:
        """A few of the newest groups of a job, newest first."""
        found = [Group.FromString(data) for data in await self._queue.shown()]
        return [group for group in found if group.task.run_id.startswith(f"{job_id}/")]

    async def way(self, job_id: str, ordinal: int | None) -> Group:
        """One of the newest groups of a job, without texts: where it was, and the weights that were learned from it.

        Without an ordinal the newest whose way is over, else the newest. Raises NotFoundError.
        """
        ways = await self._queue.ways()
        learned = [group for group in ways.groups if group.task.run_id.startswith(f"{job_id}/")]
        for group in learned:
            made = group.passages[-1]
            carried = [s for s in ways.carried if (s.lineage, s.version) == (made.lineage, made.version)]
            group.passages.extend(sorted(carried, key=lambda stay: stay.ended))
        over = [group for group in learned if group.passages[-1].station == "load"]
        under_way = [outline(group) for group in await self.groups(job_id)]
        for group in over + learned + under_way:
            if ordinal in (None, group.task.ordinal):
                return group
        newest = dict.fromkeys(group.task.ordinal for group in learned + under_way)
        there = ", ".join(str(known) for known in list(newest)[:NAMED]) or "none yet"
        raise NotFoundError(f"ordinal {ordinal} is not among the newest groups of {job_id}; they are: {there}")

    async def _ledger(self) -> wire.Ledger:
        run_id = await self._queue.current_run()
        return wire.Ledger(run_id=run_id, **asdict(await self._queue.counts(run_id))) if run_id else wire.Ledger()

    async def _worker(self, worker: Announced) -> wire.Worker:
        left_ms = await self._redis.pttl(f"{WORKER}{worker.role}:{worker.name}")
        return wire.Worker(
            name=worker.name,
            role=worker.role,
            version=int(_number(worker, "version")),
            state=worker.fields.get("state", "working"),
            seen_seconds_ago=max(0.0, WORKER_SECONDS - max(left_ms, 0) / 1000),
            tasks=int(_number(worker, "tasks")),
            tokens_per_second=_number(worker, "tokens_per_second"),
            load_seconds=_number(worker, "load_seconds"),
        )


def _number(worker: Announced, field: str) -> float:
    """A figure of an announcement; 0 for roles that have none."""
    return float(worker.fields.get(field) or 0.0)
