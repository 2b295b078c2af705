"""A worker that takes batches: it says that it still works on them, and leaves so that nobody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from earwitness.errors import InfrastructureError
from earwitness.log import Logger
from earwitness.queue import AsyncQueue, Taken
from services.settings import Settings

RENEWALS_PER_CLAIM = 4
"""Heartbeats within the time after which another worker may claim a task: two may be lost."""

LEAVE_SECONDS = 5.0
"""A queue that is away hears of a leave no later than this; it then finds out by the worker's silence."""


@asynccontextmanager
async def renewed(queue: AsyncQueue, stream: str, settings: Settings, batch: Sequence[Taken]) -> AsyncIterator[None]:
    """While the block runs, says that this worker still works on `batch`; what is settled is no longer there."""
    message_ids = [taken.message_id for taken in batch]

    async def renew() -> None:
        while True:
            await asyncio.sleep(settings.claim_idle_ms / 1000 / RENEWALS_PER_CLAIM)
            await queue.renew(stream, settings.name, message_ids)

    heartbeat = asyncio.create_task(renew())
    try:
        yield
    finally:
        heartbeat.cancel()
        await asyncio.gather(heartbeat, return_exceptions=True)


async def leave(queue: AsyncQueue, stream: str, name: str, log: Logger) -> None:
    """Makes what the worker holds claimable at once."""
    try:
        async with asyncio.timeout(LEAVE_SECONDS):
            await queue.forget(stream, name)
    except (TimeoutError, InfrastructureError) as error:
        log.warning("left without a word to the queue", reason=str(error) or f"no answer in {LEAVE_SECONDS:.0f} s")
