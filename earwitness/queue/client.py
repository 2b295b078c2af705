"""The queue over a connection, blocking or asyncio: each method is the operation of that name in `commands`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec

import redis
import redis.asyncio

from earwitness.queue import commands
from earwitness.queue.commands import CLAIM_IDLE_MS
from earwitness.queue.scripts import Commands, T
from earwitness.queue.values import Taken

P = ParamSpec("P")


def _blocking(operation: Callable[P, Commands[T]]) -> Callable[Concatenate[Queue, P], T]:
    @wraps(operation)
    def method(self: Queue, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(operation(*args, **kwargs))

    return method


def _awaited(operation: Callable[P, Commands[T]]) -> Callable[Concatenate[AsyncQueue, P], Coroutine[Any, Any, T]]:
    @wraps(operation)
    async def method(self: AsyncQueue, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.run(operation(*args, **kwargs))

    return method


class Queue:
    """Work between the stations, over `connect(url)`. See the package for what it promises.

    Every method raises `InfrastructureError` if Redis does not answer.
    """

    def __init__(self, client: redis.Redis, claim_idle_ms: int = CLAIM_IDLE_MS) -> None:
        """`claim_idle_ms`: work whose holder has not renewed it for so long is given to another by `take`."""
        self._client = client
        self.claim_idle_ms = claim_idle_ms

    open_run = _blocking(commands.open_run)
    close_run = _blocking(commands.close_run)
    issue = _blocking(commands.issue)
    renew = _blocking(commands.renew)
    hand_off = _blocking(commands.hand_off)
    drop = _blocking(commands.drop)
    fail = _blocking(commands.fail)
    hand_back = _blocking(commands.hand_back)
    use = _blocking(commands.use)
    recount = _blocking(commands.recount)
    counts = _blocking(commands.counts)
    ledger = _blocking(commands.ledger)
    lag = _blocking(commands.lag)
    current_run = _blocking(commands.current_run)
    show = _blocking(commands.show)
    shown = _blocking(commands.shown)
    keep_learned = _blocking(commands.keep_learned)
    keep_carried = _blocking(commands.keep_carried)
    ways = _blocking(commands.ways)
    forget = _blocking(commands.forget)
    dead_letters = _blocking(commands.dead_letters)
    announce = _blocking(commands.announce)
    workers = _blocking(commands.workers)

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


class AsyncQueue:
    """As `Queue`, over `connect_async(url)`: its methods are coroutines."""

    def __init__(self, client: redis.asyncio.Redis, claim_idle_ms: int = CLAIM_IDLE_MS) -> None:
        """`claim_idle_ms`: work whose holder has not renewed it for so long is given to another by `take`."""
        self._client = client
        self.claim_idle_ms = claim_idle_ms

    open_run = _awaited(commands.open_run)
    close_run = _awaited(commands.close_run)
    issue = _awaited(commands.issue)
    renew = _awaited(commands.renew)
    hand_off = _awaited(commands.hand_off)
    drop = _awaited(commands.drop)
    fail = _awaited(commands.fail)
    hand_back = _awaited(commands.hand_back)
    use = _awaited(commands.use)
    recount = _awaited(commands.recount)
    counts = _awaited(commands.counts)
    ledger = _awaited(commands.ledger)
    lag = _awaited(commands.lag)
    current_run = _awaited(commands.current_run)
    show = _awaited(commands.show)
    shown = _awaited(commands.shown)
    keep_learned = _awaited(commands.keep_learned)
    keep_carried = _awaited(commands.keep_carried)
    ways = _awaited(commands.ways)
    forget = _awaited(commands.forget)
    dead_letters = _awaited(commands.dead_letters)
    announce = _awaited(commands.announce)
    workers = _awaited(commands.workers)

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
