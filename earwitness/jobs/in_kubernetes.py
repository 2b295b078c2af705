"""What the jobs service does for the mesh at the Kubernetes API, where the chart asks it to and grants the rights."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import Any

import redis.asyncio

from earwitness.cluster.first_size import set_first_size
from earwitness.cluster.own_api import OwnApi
from earwitness.cluster.own_events import OwnEvents
from earwitness.errors import InfrastructureError
from earwitness.jobs.states import State
from earwitness.jobs.store import DAMAGE, JobStore
from earwitness.log import Logger
from earwitness.queue import DEAD
from earwitness.settings import number
from earwitness.wire.jobs.v1 import jobs_pb2

LOOK_SECONDS = 5.0
"""Between two looks for what is worth an event."""

LOOKED_AT = 20
"""Newest jobs that are looked at: more do not change within a look."""

READ = 1000
"""Events of a job read at a time."""

REASONS = {
    State.STARTING: "JobStarted",
    State.PAUSED: "JobPaused",
    State.SUCCEEDED: "JobSucceeded",
    State.FAILED: "JobFailed",
    State.CANCELLED: "JobCancelled",
}
"""Kubernetes' kind of word for a state that a job has come to; the others are of no interest to a cluster."""


def in_kubernetes(
    environ: Mapping[str, str], name: str, redis: redis.asyncio.Redis, store: JobStore, log: Logger
) -> list[Coroutine[Any, Any, None]]:
    """What runs beside the service of that name, by EW_FIRST_SIZE_OF, EW_FIRST_SIZE and EW_EVENTS_OF of `environ`.
    Raises InputError."""
    beside: list[Coroutine[Any, Any, None]] = []
    if deployment := environ.get("EW_FIRST_SIZE_OF", ""):
        replicas = number(environ, "EW_FIRST_SIZE", 1, 100_000, least=1)
        beside.append(set_first_size(OwnApi.from_env(environ), redis, deployment, replicas, log))
    if deployment := environ.get("EW_EVENTS_OF", ""):
        beside.append(tell_of_jobs(store, redis, OwnEvents(OwnApi.from_env(environ), deployment, name, log)))
    return beside


async def tell_of_jobs(store: JobStore, redis: Any, events: OwnEvents) -> None:
    """Until cancelled, an event of Kubernetes for what jobs come to, from now on."""
    teller = JobTeller(store, redis, events)
    while True:
        with suppress(InfrastructureError):  # the queue is away, which others say
            await teller.look()
        await asyncio.sleep(LOOK_SECONDS)


class JobTeller:
    """Remembers what it has told. What was there at the first look is told by nobody."""

    def __init__(self, store: JobStore, redis: Any, events: OwnEvents) -> None:
        self._store = store
        self._redis = redis
        self._events = events
        self._told: dict[str, int] | None = None
        """Sequence number of the last event looked at, by job."""
        self._dead = 0

    async def look(self) -> None:
        """Tell what is new. Raises InfrastructureError if the queue does not answer."""
        records = await self._store.newest(0, LOOKED_AT)
        dead = await self._redis.xlen(DEAD)
        if self._told is None:
            self._told = {r.job_id: (await self._store.get(r.job_id)).sequence for r in records}
            self._dead = dead
        for record in reversed(records):
            await self._tell_new(record.job_id)
        if dead > self._dead:
            given_up = f"{dead - self._dead} tasks were given up, each after it lost its worker again and again"
            await self._events.tell("TaskDeadLettered", given_up, warning=True)
        self._dead = dead

    async def _tell_new(self, job_id: str) -> None:
        assert self._told is not None
        while found := await self._store.events(job_id, self._told.get(job_id, 0), READ):
            for event in found:
                await self._tell(event)
                self._told[job_id] = event.sequence

    async def _tell(self, event: jobs_pb2.Event) -> None:
        if event.kind == DAMAGE:
            await self._events.tell("CheckpointDamaged", f"{event.job.job_id}: {event.message}", warning=True)
        state = State(jobs_pb2.JobState.Name(event.job.state).removeprefix("JOB_STATE_"))
        if event.kind == "state" and state in REASONS:
            await self._events.tell(REASONS[state], event.message, warning=state is State.FAILED)
