"""The loop of a rollout worker: takes tasks, generates their groups side by side, hands them on.

A worker may be killed at any point: its tasks stay pending and another claims them. It joins once it serves weights
that are new enough, and may leave at any time: what it cannot finish then goes back with every token it has generated,
and another goes on from there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from earwitness import tracing
from earwitness.audio import AudioError
from earwitness.errors import EarwitnessError, InfrastructureError, InputError
from earwitness.log import Logger
from earwitness.queue import ROLLOUTS, TASKS, AsyncQueue, PayloadTooLargeError, arrival
from earwitness.queue.working import RENEWALS_PER_CLAIM
from earwitness.wire.trajectory.v1 import trajectory_pb2
from rollout.contract import BrokenEngineError
from rollout.room import Room
from rollout.serving import Serving

ROLE = "rollout"
TAKE = 2
"""Tasks taken at a time: few, so that idle workers beside this one get their share of a small batch."""
BLOCK_MS = 500
"""Longest wait for a task, after which the loop looks at its other duties."""
ANNOUNCE_SECONDS = 2.0
"""Pause between announcements; the mesh forgets a worker after 15 s."""
STALE_SECONDS = 1.0
"""Pause between two looks at which run is current: groups of others are aborted."""


HAND_BACK_SECONDS = 12.0
"""What the way back into the queue may take, after the grace, and again what saying goodbye may: together less than a
pod of the chart has left then (37 s). The engine first ends the step it is in, seconds on a full machine."""
CANNOT_KEEP_UP = "cannot keep up"
"""State of a worker that leaves because new weights come faster than it loads them."""


@dataclass
class Flight:
    """A group that is being generated."""

    task: trajectory_pb2.GroupTask
    work: asyncio.Task[None]
    generating: bool = False
    """True from when the engine is asked until it answers."""


class RolloutWorker:
    """Takes tasks whenever the weights are there and fewer than `max_groups` groups are in flight."""

    def __init__(
        self,
        queue: AsyncQueue,
        serving: Serving,
        name: str,
        log: Logger,
        *,
        max_groups: int,
        claim_idle_ms: int,
        grace_seconds: float,
    ) -> None:
        """`grace_seconds`: what groups in flight get when the worker is told to stop."""
        self.flights: dict[str, Flight] = {}
        """Groups in flight by message id."""
        self.dropped = 0
        """Prompts that could not be generated from."""
        self.handed_back = 0
        """Tokens that others go on from."""
        self._queue = queue
        self._serving = serving
        self._name = name
        self._log = log
        self._max_groups = max_groups
        self._claim_idle_ms = claim_idle_ms
        self._grace_seconds = grace_seconds
        self.cannot_keep_up = False
        """Why it leaves, for those who look."""
        self.crashed = False
        """True if it ends by an error of its own: no leave, since what is in flight may be the reason."""
        self._leaving = False
        self._room = Room()
        self._rate = Rate()

    @property
    def state(self) -> str:
        """loading, idle, working, leaving, cannot keep up."""
        if self.cannot_keep_up:
            return CANNOT_KEEP_UP
        return "leaving" if self._leaving else "working" if self.flights else self._serving.state

    async def run(self) -> None:
        """Works until cancelled, then finishes what it has within the grace, hands the rest back, and leaves.

        Raises InfrastructureError if the queue is away for too long, BrokenEngineError.
        """
        duties = [
            asyncio.create_task(self._every(self._claim_idle_ms / 1_000 / RENEWALS_PER_CLAIM, self._renew)),
            asyncio.create_task(self._every(STALE_SECONDS, self._abort_stale)),
            asyncio.create_task(self._every(ANNOUNCE_SECONDS, self._announce)),
        ]
        taking = asyncio.create_task(self._every(0, self._take_tasks))
        try:
            done, _ = await asyncio.wait({taking, *duties}, return_when=asyncio.FIRST_COMPLETED)
            for ended in done:  # they run for ever, so this is an error
                ended.result()
        except (asyncio.CancelledError, InfrastructureError):
            raise
        except BaseException:
            self.crashed = True
            raise
        finally:
            self._leaving = True
            await _cancel([taking])
            await self._leave(duties)

    async def _take_tasks(self) -> None:
        await self._collect()
        if not self._serving.ready:
            await self._serving.until_ready(BLOCK_MS / 1_000)
            return
        engine = self._serving.engine
        tasks = [flight.task for flight in self.flights.values()]
        room = min(self._max_groups - len(tasks), self._room.groups(engine.kv_tokens if engine else 0, tasks), TAKE)
        if room <= 0:
            works = [flight.work for flight in self.flights.values()]
            await asyncio.wait(works, timeout=BLOCK_MS / 1_000, return_when=asyncio.FIRST_COMPLETED)
            return
        for taken in await self._queue.take(TASKS, self._name, count=room, block_ms=BLOCK_MS):
            try:
                task = trajectory_pb2.GroupTask.FromString(taken.data)
            except DecodeError as error:
                await self._fail(taken.message_id, error)
                continue
            self.flights[taken.message_id] = Flight(task, asyncio.create_task(self._settle(taken.message_id, task)))

    async def _settle(self, message_id: str, task: trajectory_pb2.GroupTask) -> None:
        """Generates one group and hands it on or back, or drops its ordinal with the reason."""
        try:
            group = await self._generate(message_id, task)
        except InputError as error:
            kind = "bad audio" if isinstance(error, AudioError) else "bad prompt"
            self.dropped += 1
            self._log.warning("group dropped", run=task.run_id, ordinal=task.ordinal, reason=f"{kind}: {error}")
            await self._queue.drop(TASKS, message_id, task.run_id, task.ordinal, f"{kind}: {error}")
            return
        if not all(trajectory.finish_reason for trajectory in group.trajectories):
            await self._hand_back(message_id, group)
            _trace(group, handed_back=True)
            return
        self._room.finished(group)
        group.task.ClearField("begun")
        outcome = await self._queue.hand_off(TASKS, message_id, group, ROLLOUTS)
        _trace(group, handed_back=False)
        self._log.debug("group rolled", run=task.run_id, ordinal=task.ordinal, outcome=outcome)

    async def _hand_back(self, message_id: str, group: trajectory_pb2.Group) -> None:
        task = group.task
        task.ClearField("begun")
        task.begun.extend(group.trajectories)
        try:
            kept = await self._queue.hand_back(self._name, message_id, task)
        except PayloadTooLargeError as error:  # `forget` gives the task back as it was taken
            self._log.warning("tokens lost", run=task.run_id, ordinal=task.ordinal, reason=str(error))
            return
        tokens = sum(len(trajectory.token_ids) for trajectory in task.begun)
        self.handed_back += tokens if kept else 0
        self._log.info("group handed back", run=task.run_id, ordinal=task.ordinal, tokens=tokens, kept=kept)

    async def _generate(self, message_id: str, task: trajectory_pb2.GroupTask) -> trajectory_pb2.Group:
        async with self._serving.use(task.min_version, task.lineage) as engine:
            begun = time.time()
            self.flights[message_id].generating = True
            needs = sum(self._room.need(flight.task) for flight in self.flights.values() if flight.generating)
            kv_use = needs / engine.kv_tokens if engine.kv_tokens else 0.0
            prompt_ids, trajectories = await engine.generate(
                task.prompt,
                task.sampling,
                ordinal=task.ordinal,
                without_audio=task.without_audio,
                begun=task.begun,
            )
            return trajectory_pb2.Group(
                task=task,
                prompt_token_ids=prompt_ids,
                trajectories=trajectories,
                worker=self._name,
                passages=[self._passage(message_id, task, begun, kv_use)],
            )

    def _passage(
        self, message_id: str, task: trajectory_pb2.GroupTask, begun: float, kv_use: float
    ) -> trajectory_pb2.Passage:
        """The stay of a group that is generated now."""
        arrived = arrival(message_id)
        able = min(begun, max(arrived, self._serving.able_at(task.min_version)))
        stay = trajectory_pb2.Passage(station=ROLE, worker=self._name, arrived=arrived, able=able, begun=begun)
        stay.ended, stay.kv_use = time.time(), kv_use
        return stay

    async def _renew(self) -> None:
        """Heartbeat: keeps others from claiming. What was claimed all the same is theirs."""
        waiting = list(self.flights)
        held = set(await self._queue.renew(TASKS, self._name, waiting))
        for message_id in set(waiting) - held:
            self._abort(message_id, "claimed by another worker")

    async def _abort_stale(self) -> None:
        """Nobody waits for groups of a run that is over."""
        if not self.flights:
            return
        current = await self._queue.current_run()
        for message_id, flight in list(self.flights.items()):
            if flight.task.run_id != current:
                self._abort(message_id, "its run is not current")

    def _abort(self, message_id: str, reason: str) -> None:
        flight = self.flights.get(message_id)
        if flight is not None and not flight.work.done():
            self._log.debug("group aborted", message_id=message_id, run=flight.task.run_id, reason=reason)
            flight.work.cancel()

    async def _announce(self) -> None:
        engine = self._serving.engine
        served = engine.served if engine else None
        status: dict[str, str | int | float] = {
            "state": self.state,
            "version": served.version if served else 0,
            "tasks": len(self.flights),
            "dropped": self.dropped,
            "behind": self._serving.behind,
            "tokens_per_second": round(self._rate.of(engine.tokens if engine else 0), 1),
            "load_seconds": round(self._serving.load_seconds, 4),
        }
        await self._queue.announce(ROLE, self._name, status)

    async def _collect(self) -> None:
        """Forgets groups that ended. Raises BrokenEngineError; any other error is the task's, which is given back."""
        for message_id in [m for m, flight in self.flights.items() if flight.work.done()]:
            work = self.flights.pop(message_id).work
            if work.cancelled():
                continue
            try:
                work.result()
            except InfrastructureError as error:  # the task is still pending, so it will be claimed
                self._log.warning("group lost", message_id=message_id, error=str(error))
            except BrokenEngineError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the worker goes on with other tasks
                await self._fail(message_id, error)

    async def _fail(self, message_id: str, error: Exception) -> None:
        """The third delivery that ends so is the last: the task is a dead letter then."""
        self._log.exception("group failed", error, message_id=message_id)
        await self._queue.fail(TASKS, self._name, message_id, f"{type(error).__name__}: {error}")

    async def _leave(self, duties: list[asyncio.Task[None]]) -> None:
        """Within the grace heartbeats go on; then what is left goes back, with its tokens if there are any.

        After a crash nothing does: the tasks are claimed when the worker has been silent, and their delivery counts.
        """
        works = [flight.work for flight in self.flights.values()]
        if self.crashed:
            await _cancel([*works, *duties])
            return
        if works:
            await asyncio.wait(works, timeout=self._grace_seconds)
        try:
            async with asyncio.timeout(HAND_BACK_SECONDS):
                await self._announce()
                await self._interrupt()
        except (TimeoutError, EarwitnessError) as error:
            self._log.warning("groups not handed back", reason=str(error) or f"no answer in {HAND_BACK_SECONDS:.0f} s")
        await _cancel([*works, *duties])
        try:
            async with asyncio.timeout(HAND_BACK_SECONDS):
                await self._queue.forget(TASKS, self._name)
        except (TimeoutError, InfrastructureError) as error:
            self._log.warning("left without a word to the queue", reason=str(error) or "no answer")

    async def _interrupt(self) -> None:
        works = [f.work for f in self.flights.values() if f.generating and not f.work.done()]
        if works and self._serving.engine is not None:
            await self._serving.engine.interrupt()
            await asyncio.wait(works)

    async def _every(self, seconds: float, duty: Callable[[], Awaitable[None]]) -> None:
        while True:
            await duty()
            await asyncio.sleep(seconds)


class Rate:
    """Tokens per second between two questions."""

    def __init__(self) -> None:
        self._tokens = 0
        self._time = time.monotonic()

    def of(self, tokens: int) -> float:
        """The rate since the last question, given the tokens so far; a new engine counts from 0 again."""
        now = time.monotonic()
        rate = max(0, tokens - self._tokens) / max(now - self._time, 1e-3)
        self._tokens, self._time = tokens, now
        return rate


def _trace(group: trajectory_pb2.Group, *, handed_back: bool) -> None:
    """Tells of a stay that is over, whole or not."""
    task, stay = group.task, group.passages[-1]
    if not task.traceparent:
        return
    spans = [span for trajectory in group.trajectories for span in trajectory.versions]
    tracing.child(
        task.traceparent,
        ROLE,
        stay.begun,
        stay.ended,
        worker=stay.worker,
        ordinal=task.ordinal,
        waited=stay.begun - stay.arrived,
        tokens=sum(span.tokens for span in spans),
        version=max((span.version for span in spans), default=0),
        handed_back=handed_back,
    )


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
