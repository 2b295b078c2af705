"""Jobs in the queue Redis: records, the queue of those that wait, events.

Every change is one Lua script, and every script may run twice (a connection that breaks repeats its command). The
runner's writes are fenced: they fail with LeadershipLost unless the writer still holds the leader key.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis.asyncio

from earwitness.errors import EarwitnessError, NotFoundError
from earwitness.jobs import keys
from earwitness.jobs.record import JobRecord
from earwitness.jobs.states import Wish
from earwitness.wire.jobs.v1 import jobs_pb2
from earwitness.wire.metrics.v1.metrics_pb2 import Metric

WAITING = "worker"
"""Kind of event that says what a job waits for; every other kind says that it got on."""

DAMAGE = "checkpoint"
"""Kind of event that says which checkpoint cannot be read."""

EVENTS_LOOKED_AT = 50
"""A job that waits says so every half minute or less often."""


class LeadershipLost(EarwitnessError):
    """Another jobs service has taken over; what this one was doing must stop."""


@dataclass(frozen=True)
class Submission:
    """What became of a submission."""

    record: JobRecord
    existed: bool
    """True if the request id had been submitted before."""


@dataclass(frozen=True)
class StoredJob:
    """One job as stored."""

    record: JobRecord
    recipe: bytes
    """As submitted."""
    sequence: int
    """Number of events so far."""


def event(record: JobRecord, kind: str, message: str, metrics: dict[str, float] | None = None) -> jobs_pb2.Event:
    """An event of now; its sequence number is given when it is read."""
    figures = [Metric(name=n, value=v) for n, v in (metrics or {}).items()]
    return jobs_pb2.Event(time=time.time(), kind=kind, message=message, metrics=figures, job=record.wire())


class JobStore:
    """Reads and writes jobs. Raises NotFoundError for an unknown job."""

    def __init__(self, redis: redis.asyncio.Redis) -> None:
        self._redis: Any = redis  # its types also allow for decoded replies, which our connections never give
        self._submit = self._redis.register_script(keys.script("submit"))
        self._commit = self._redis.register_script(keys.script("commit"))
        self._take = self._redis.register_script(keys.script("take"))
        self._cancel_waiting = self._redis.register_script(keys.script("cancel_waiting"))
        self._wish = self._redis.register_script(keys.script("wish"))

    async def find_request(self, request_id: str) -> JobRecord | None:
        """The job that a request id was submitted as."""
        job_id = await self._redis.hget(keys.REQUESTS, request_id)
        return None if job_id is None else (await self.get(job_id.decode())).record

    async def submit(self, record: JobRecord, recipe: bytes) -> Submission:
        """Queue a job, unless its request id is known."""
        waiting = event(record, "state", f"{record.job_id} waits for its turn").SerializeToString()
        found = await self._submit(
            [keys.REQUESTS, keys.job(record.job_id), keys.QUEUE, keys.INDEX, keys.events(record.job_id)],
            [record.request_id, record.job_id, record.to_json(), recipe, waiting, record.submitted_at],
        )
        if found.decode() == record.job_id:
            return Submission(record, existed=False)
        return Submission((await self.get(found.decode())).record, existed=True)

    async def get(self, job_id: str) -> StoredJob:
        """One job."""
        record, recipe, sequence = await self._redis.hmget(keys.job(job_id), "record", "recipe", "sequence")
        if record is None:
            raise NotFoundError(f"there is no job {job_id[:100]!r}; `earwitness list` shows all")
        return StoredJob(JobRecord.from_json(record), recipe, int(sequence))

    async def newest(self, offset: int, count: int) -> list[JobRecord]:
        """At most `count` jobs, newest first, after the first `offset`."""
        ids = await self._redis.zrevrange(keys.INDEX, offset, offset + count - 1)
        return [(await self.get(i.decode())).record for i in ids]

    async def running(self) -> JobRecord | None:
        """The job that the mesh works on."""
        job_id = await self._redis.get(keys.RUNNING)
        return None if job_id is None else (await self.get(job_id.decode())).record

    async def wish(self, job_id: str) -> Wish:
        """What a person wants of the job."""
        text = (await self._redis.hget(keys.job(job_id), "wish") or b"").decode()
        return "pause" if text == "pause" else "cancel" if text == "cancel" else ""

    async def set_wish(self, job_id: str, wish: Wish) -> None:
        """Tell the runner; it answers by changing the state."""
        await self._wish([keys.job(job_id)], [wish])

    async def cancel_waiting(self, record: JobRecord) -> bool:
        """End a job that still waits, with the cancelled `record`; False if it waits no longer."""
        ended = event(record, "state", f"{record.job_id} cancelled while it waited")
        arguments: list[Any] = [record.job_id, record.to_json(), ended.SerializeToString()]
        done = await self._cancel_waiting([keys.QUEUE, keys.job(record.job_id), keys.events(record.job_id)], arguments)
        return bool(done)

    async def take(self, holder: str) -> str | None:
        """The job to work on: the one already begun, or else the next that waits. Raises LeadershipLost."""
        job_id = await self._take([keys.LEADER, keys.QUEUE, keys.RUNNING], [holder])
        if job_id == -1:
            raise LeadershipLost("the leader key is not ours")
        return None if job_id is None else job_id.decode()

    async def commit(self, holder: str, before: int, record: JobRecord, events: Sequence[jobs_pb2.Event]) -> int:
        """Write record and events at once, behind event `before`; returns the new number of events.

        A job that has ended leaves the mesh free for the next. Raises LeadershipLost.
        """
        ended = record.job_id if record.state.ended else ""
        sequence: int = await self._commit(
            [keys.LEADER, keys.job(record.job_id), keys.events(record.job_id), keys.RUNNING],
            [holder, before, record.to_json(), ended, *(e.SerializeToString() for e in events)],
        )
        if sequence != before + len(events):
            raise LeadershipLost(f"{record.job_id}: wrote behind event {before}, but the job is at {sequence}")
        return sequence

    async def events(self, job_id: str, after: int, count: int) -> list[jobs_pb2.Event]:
        """At most `count` events behind sequence number `after`, in order."""
        entries = await self._redis.xrange(keys.events(job_id), min=f"{after + 1}-0", count=count)
        return [_read(entry_id, fields) for entry_id, fields in entries]

    async def moved_at(self, job_id: str) -> float:
        """When the job last got on, seconds since the Unix epoch; 0 if the newest events only say what it waits for."""
        entries = await self._redis.xrevrange(keys.events(job_id), count=EVENTS_LOOKED_AT)
        told = (_read(entry_id, fields) for entry_id, fields in entries)
        return next((e.time for e in told if e.kind != WAITING), 0.0)

    async def all_events(self, job_id: str) -> list[jobs_pb2.Event]:
        """Every event of a job."""
        return await self.events(job_id, 0, 10_000_000)

    async def save_result(self, run_id: str, ordinal: int, data: bytes) -> None:
        """Keep the group of an ordinal of a sampling pass."""
        await self._redis.hset(keys.results(run_id), str(ordinal), data)

    async def result_ordinals(self, run_id: str) -> list[int]:
        """Ordinals whose groups are kept."""
        return sorted(int(o) for o in await self._redis.hkeys(keys.results(run_id)))

    async def results(self, run_id: str) -> list[bytes]:
        """The kept groups, by ordinal."""
        found = await self._redis.hgetall(keys.results(run_id))
        return [found[o] for o in sorted(found, key=int)]

    async def forget_results(self, run_id: str) -> None:
        """Drop the kept groups, once their file is written."""
        await self._redis.delete(keys.results(run_id))


def _read(entry_id: bytes, fields: dict[bytes, bytes]) -> jobs_pb2.Event:
    event = jobs_pb2.Event.FromString(fields[b"event"])
    event.sequence = int(entry_id.split(b"-")[0])
    return event
