"""The queue over an asyncio connection; the operations are described at `Queue`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import redis
import redis.asyncio

from earwitness.queue import commands
from earwitness.queue.commands import CLAIM_IDLE_MS, Commands, T
from earwitness.queue.values import Counts, DeadLetter, Lag, Outcome, Taken, Worker
from earwitness.wire.trajectory.v1 import trajectory_pb2


class AsyncQueue:
    """Work between the stations, over `connect_async(url)`. The methods are those of `Queue`, as coroutines."""

    def __init__(self, client: redis.asyncio.Redis, claim_idle_ms: int = CLAIM_IDLE_MS) -> None:
        """`claim_idle_ms`: work whose holder has not renewed it for so long is given to another by `take`."""
        self._client = client
        self.claim_idle_ms = claim_idle_ms

    async def open_run(
        self, run_id: str, used: Mapping[int, int] | None = None, dropped: Mapping[int, str] | None = None
    ) -> None:
        await self._run(commands.open_run(run_id, used, dropped))

    async def close_run(self, run_id: str) -> None:
        await self._run(commands.close_run(run_id))

    async def issue(self, task: trajectory_pb2.GroupTask) -> bool:
        return await self._run(commands.issue(task))

    async def take(self, stream: str, consumer: str, count: int = 1, block_ms: int = 1000) -> list[Taken]:
        return await self._run(commands.take(stream, consumer, count, block_ms, self.claim_idle_ms))

    async def renew(self, stream: str, consumer: str, message_ids: Sequence[str]) -> list[str]:
        return await self._run(commands.renew(stream, consumer, message_ids))

    async def hand_off(self, stream_from: str, message_id: str, group: trajectory_pb2.Group, stream_to: str) -> Outcome:
        return await self._run(commands.hand_off(stream_from, message_id, group, stream_to))

    async def drop(self, stream_from: str, message_id: str, run_id: str, ordinal: int, reason: str) -> Outcome:
        return await self._run(commands.drop(stream_from, message_id, run_id, ordinal, reason))

    async def fail(self, stream: str, consumer: str, message_id: str, reason: str) -> Outcome:
        return await self._run(commands.fail(stream, consumer, message_id, reason))

    async def hand_back(self, consumer: str, message_id: str, task: trajectory_pb2.GroupTask) -> bool:
        return await self._run(commands.hand_back(consumer, message_id, task))

    async def use(self, run_id: str, step: int, taken: Sequence[tuple[str, int]]) -> None:
        await self._run(commands.use(run_id, step, taken))

    async def recount(self, run_id: str) -> int:
        return await self._run(commands.recount(run_id))

    async def counts(self, run_id: str) -> Counts:
        return await self._run(commands.counts(run_id))

    async def ledger(self, run_id: str) -> dict[int, str]:
        return await self._run(commands.ledger(run_id))

    async def lag(self) -> list[Lag]:
        return await self._run(commands.lag())

    async def current_run(self) -> str:
        return await self._run(commands.current_run())

    async def show(self, group: trajectory_pb2.Group) -> None:
        await self._run(commands.show(group))

    async def shown(self) -> list[bytes]:
        return await self._run(commands.shown())

    async def forget(self, stream: str, consumer: str) -> None:
        await self._run(commands.forget(stream, consumer))

    async def dead_letters(self) -> list[DeadLetter]:
        return await self._run(commands.dead_letters())

    async def announce(self, role: str, name: str, fields: Mapping[str, str | int | float]) -> None:
        await self._run(commands.announce(role, name, fields))

    async def workers(self) -> list[Worker]:
        return await self._run(commands.workers())

    async def _run(self, operation: Commands[T]) -> T:
        try:
            command = next(operation)
            while True:
                try:
                    reply = await self._client.execute_command(*command)
                except redis.ResponseError as error:
                    command = operation.throw(error)
                else:
                    command = operation.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result
