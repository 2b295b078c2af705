"""The queue over a connection, blocking or asyncio: each method is the operation of that name in `commands`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, ParamSpec, overload

import redis
import redis.asyncio

from earwitness.queue import commands
from earwitness.queue.commands import CLAIM_IDLE_MS
from earwitness.queue.scripts import Commands, T
from earwitness.queue.values import Taken

P = ParamSpec("P")


class _Method(Generic[P, T]):
    """An operation as a method: a `Queue` returns its result, an `AsyncQueue` a coroutine of it."""

    def __init__(self, operation: Callable[P, Commands[T]]) -> None:
        self._operation = operation

    @overload
    def __get__(self, queue: Queue, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, queue: AsyncQueue, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, queue: Queue | AsyncQueue, owner: type) -> Callable[P, T | Coroutine[Any, Any, T]]:
        return lambda *args, **kwargs: queue.run(self._operation(*args, **kwargs))


class _Operations:
    open_run = _Method(commands.open_run)
    close_run = _Method(commands.close_run)
    issue = _Method(commands.issue)
    renew = _Method(commands.renew)
    hand_off = _Method(commands.hand_off)
    drop = _Method(commands.drop)
    fail = _Method(commands.fail)
    hand_back = _Method(commands.hand_back)
    use = _Method(commands.use)
    recount = _Method(commands.recount)
    counts = _Method(commands.counts)
    ledger = _Method(commands.ledger)
    lag = _Method(commands.lag)
    current_run = _Method(commands.current_run)
    show = _Method(commands.show)
    shown = _Method(commands.shown)
    keep_learned = _Method(commands.keep_learned)
    keep_carried = _Method(commands.keep_carried)
    ways = _Method(commands.ways)
    forget = _Method(commands.forget)
    dead_letters = _Method(commands.dead_letters)
    announce = _Method(commands.announce)
    workers = _Method(commands.workers)


class Queue(_Operations):
    """Work between the stations, over `connect(url)`. See the package for what it promises.

    Every method raises `InfrastructureError` if Redis does not answer.
    """

    def __init__(self, client: redis.Redis, claim_idle_ms: int = CLAIM_IDLE_MS) -> None:
        """`claim_idle_ms`: work whose holder has not renewed it for so long is given to another by `take`."""
        self._client = client
        self.claim_idle_ms = claim_idle_ms

    def take(self, stream: str, consumer: str, count: int = 1, block_ms: int = 1000) -> list[Taken]:
        """As `commands.take`, with this client's limit."""
        return self.run(commands.take(stream, consumer, count, block_ms, self.claim_idle_ms))

    def run(self, operation: Commands[T]) -> T:
        """Carries the commands of an operation to Redis, and the replies back; its result."""
        try:
            command = next(operation)
            while True:
                try:
                    reply = self._client.execute_command(*command)
                except redis.ResponseError as error:
                    command = operation.throw(error)
                else:
                    command = operation.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result


class AsyncQueue(_Operations):
    """As `Queue`, over `connect_async(url)`: its methods are coroutines."""

    def __init__(self, client: redis.asyncio.Redis, claim_idle_ms: int = CLAIM_IDLE_MS) -> None:
        """`claim_idle_ms`: work whose holder has not renewed it for so long is given to another by `take`."""
        self._client = client
        self.claim_idle_ms = claim_idle_ms

    async def take(self, stream: str, consumer: str, count: int = 1, block_ms: int = 1000) -> list[Taken]:
        """As `commands.take`, with this client's limit."""
        return await self.run(commands.take(stream, consumer, count, block_ms, self.claim_idle_ms))

    async def run(self, operation: Commands[T]) -> T:
        """Carries the commands of an operation to Redis, and the replies back; its result."""
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
