"""The shards of the weight plane, and work on many values at once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import cast

import redis

from earwitness.redis_bulk import BulkClient, connect_bulk
from earwitness.redis_client import Patience

STREAMS_PER_SHARD = 2
"""Connections to one shard: while one value is on the wire the next is prepared."""


CPU_THREADS = min(4, os.cpu_count() or 1)
"""Threads that compare, apply and hash: a few fill the memory's bandwidth."""

CPU_WINDOW = 8
"""Items a thread for these: vectors and digests stand between matrices, and with fewer one thread waits for the other.
Of a delta, so that each is a view of a tensor, or smaller than half of it."""


def connect_shards(shards: Sequence[str | BulkClient], at_first: Patience | None = None) -> list[BulkClient]:
    """Clients of the shards, in order; URLs are connected, with patience `at_first`. Raises `InfrastructureError` if
    one is not reached."""
    if not shards:
        raise ValueError("the weight plane needs at least one shard")
    return [connect_bulk(shard, at_first) if isinstance(shard, str) else shard for shard in shards]


def get_bytes(shard: redis.Redis, key: str) -> bytes | None:
    """GET; the clients here never decode."""
    return cast("bytes | None", shard.get(key))
