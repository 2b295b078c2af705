"""Work that takes longer than a claim's idle time is not given to another worker while its holder lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from earwitness.queue import AsyncQueue, Taken
from services.settings import Settings

RENEWALS_PER_CLAIM = 4
"""Heartbeats within the time after which another worker may claim a task: two may be lost."""


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
