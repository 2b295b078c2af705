"""Which jobs service runs jobs: the one that holds a key in Redis, with a lease.

Two services may answer calls at once, but only the leader runs. Its writes to jobs check the key in the same script
(see store.py), so a leader that was paused for longer than its lease cannot write behind its successor's back.
"""

from __future__ import annotations

import asyncio
import uuid

import redis.asyncio

from earwitness.jobs import keys
from earwitness.jobs.store import LeadershipLost

LEASE_SECONDS = 6.0
"""A killed leader is replaced after at most this; short enough that cancelling still answers within ten seconds."""

RENEW_SECONDS = 1.5
"""Several renewals may fail before the lease ends."""


class Leadership:
    """One process's claim to lead."""

    def __init__(self, redis: redis.asyncio.Redis, name: str) -> None:
        self.holder = f"{name}/{uuid.uuid4().hex}"
        self._name = f"{name}/"
        self._acquire = redis.register_script(keys.script("lead"))
        self._renew = redis.register_script(keys.script("keep_lead"))
        self._release = redis.register_script(keys.script("leave_lead"))

    async def acquire(self) -> None:
        """Return once this process leads.

        A holder of our name is our own past: names are unique, so that process is gone and need not be waited for.
        """
        while True:
            if await self._acquire([keys.LEADER], [self.holder, int(LEASE_SECONDS * 1000), self._name]):
                return
            await asyncio.sleep(0.3)

    async def keep(self) -> None:
        """Renew until cancelled. Raises LeadershipLost."""
        while True:
            if not await self._renew([keys.LEADER], [self.holder, int(LEASE_SECONDS * 1000)]):
                raise LeadershipLost("the lease ended before it was renewed")
            await asyncio.sleep(RENEW_SECONDS)

    async def release(self) -> None:
        """Let the next leader start at once."""
        await self._release([keys.LEADER], [self.holder])
