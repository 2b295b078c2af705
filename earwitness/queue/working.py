"""A worker that takes batches: it says that it still works on them, and leaves so that nobody waits for it.

Whatever one entry does to it, it goes on with the next: work that fails is delivered three times, then a dead letter.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from earwitness import tracing
from earwitness.errors import InfrastructureError
from earwitness.log import Logger
from earwitness.queue import AsyncQueue, Taken, arrival
from earwitness.wire.trajectory.v1 import trajectory_pb2

RENEWALS_PER_CLAIM = 4
"""Heartbeats within the time after which another worker may claim a task: two may be lost."""

LEAVE_SECONDS = 5.0
"""A queue that is away hears of a leave no later than this; it then finds out by the worker's silence."""


async def settle_each(
    queue: AsyncQueue,
    stream: str,
    name: str,
    log: Logger,
    batch: Sequence[Taken],
    settle: Callable[[Taken], Awaitable[None]],
) -> None:
    """Settles one entry after another, and says meanwhile that this worker still works on them.

    Raises only what is not the entry's: InfrastructureError.
    """
    message_ids = [taken.message_id for taken in batch]

    async def renew() -> None:
        while True:
            await asyncio.sleep(queue.claim_idle_ms / 1000 / RENEWALS_PER_CLAIM)
            await queue.renew(stream, name, message_ids)

    heartbeat = asyncio.create_task(renew())
    try:
        for taken in batch:
            try:
                await settle(taken)
            except InfrastructureError:
                raise
            except Exception as error:  # whatever it is, it is this entry's
                log.exception("work failed", error, stream=stream, message_id=taken.message_id)
                await queue.fail(stream, name, taken.message_id, f"{type(error).__name__}: {error}")
    finally:
        heartbeat.cancel()
        await asyncio.gather(heartbeat, return_exceptions=True)


def passed(group: trajectory_pb2.Group, station: str, name: str, taken: Taken, begun: float) -> None:
    """Notes a stay that ends now. `begun`: seconds since the Unix epoch."""
    arrived, ended = arrival(taken.message_id), time.time()
    group.passages.add(station=station, worker=name, arrived=arrived, able=arrived, begun=begun, ended=ended)
    task = group.task
    tracing.child(task.traceparent, station, begun, ended, worker=name, ordinal=task.ordinal, waited=begun - arrived)


@asynccontextmanager
async def leaving(queue: AsyncQueue, stream: str, name: str, log: Logger) -> AsyncIterator[None]:
    """Makes what the worker holds claimable at once when it is told to leave, or the queue is away.

    A crash is no leave: what it held counts as delivered.
    """
    try:
        yield
    except (asyncio.CancelledError, InfrastructureError):
        await asyncio.shield(_leave(queue, stream, name, log))
        raise


async def _leave(queue: AsyncQueue, stream: str, name: str, log: Logger) -> None:
    try:
        async with asyncio.timeout(LEAVE_SECONDS):
            await queue.forget(stream, name)
    except (TimeoutError, InfrastructureError) as error:
        log.warning("left without a word to the queue", reason=str(error) or f"no answer in {LEAVE_SECONDS:.0f} s")
