"""How the mesh is: who is here, and what waits where."""

from __future__ import annotations

import redis.asyncio

from earwitness.queue import DEAD, AsyncQueue
from earwitness.queue import Worker as Announced
from earwitness.queue.commands import WORKER_SECONDS
from earwitness.queue.names import WORKER
from earwitness.wire.jobs.v1 import jobs_pb2 as wire
from services.jobs.store import JobStore

PREFIX = "ew:"


class Mesh:
    """Reads presence, streams and the running job."""

    def __init__(self, store: JobStore, queue: AsyncQueue, redis: redis.asyncio.Redis) -> None:
        self._store = store
        self._queue = queue
        self._redis = redis

    async def describe(self) -> wire.GetMeshResponse:
        """The mesh now."""
        active = await self._store.running()
        streams = [
            wire.StreamLag(stream=lag.stream.removeprefix(PREFIX), waiting=lag.waiting, pending=lag.pending)
            for lag in await self._queue.lag()
        ]
        streams.append(wire.StreamLag(stream=DEAD.removeprefix(PREFIX), waiting=await self._redis.xlen(DEAD)))
        return wire.GetMeshResponse(
            workers=[await self._worker(w) for w in await self._queue.workers()],
            streams=streams,
            active=None if active is None else active.wire(),
            version=0 if active is None else active.published,
        )

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
        )


def _number(worker: Announced, field: str) -> float:
    """A figure of an announcement; 0 for roles that have none."""
    return float(worker.fields.get(field) or 0.0)
