"""The job that the mesh works on, as the jobs service tells it to everyone (key `ew:active` of the queue Redis).

Durable with the queue Redis; written by the jobs service only. Workers read it about once a second.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import cast

import redis
import redis.asyncio

ACTIVE = "ew:active"


@dataclass(frozen=True)
class ActiveJob:
    """What a worker must know of the job."""

    job_id: str
    """The job."""
    model_uri: str = ""
    """Hugging Face directory of the policy as the job began; empty until it is prepared."""
    dtype: str = "float32"
    """Type the policy computes and generates in."""
    max_model_len: int = 0
    """Longest sequence, prompt and response, tokens."""
    max_staleness: int = 0
    """Versions that the weights of a worker which takes tasks may be behind the newest."""
    needs_reference: bool = False
    """True if reference log-probs are asked for."""
    reference_uri: str = ""
    """Hugging Face directory of the frozen reference; empty if not needed."""


def read_active(client: redis.Redis) -> ActiveJob | None:
    """The active job, or None."""
    return _decode(cast("bytes | None", client.get(ACTIVE)))


def write_active(client: redis.Redis, job: ActiveJob) -> None:
    """Replaces the active job."""
    client.set(ACTIVE, _encode(job))


async def read_active_async(client: redis.asyncio.Redis) -> ActiveJob | None:
    """As `read_active`."""
    return _decode(cast("bytes | None", await client.get(ACTIVE)))


async def write_active_async(client: redis.asyncio.Redis, job: ActiveJob) -> None:
    """As `write_active`."""
    await client.set(ACTIVE, _encode(job))


async def clear_active_async(client: redis.asyncio.Redis) -> None:
    """No job is active."""
    await client.delete(ACTIVE)


def _encode(job: ActiveJob) -> str:
    return json.dumps(asdict(job))


def _decode(stored: bytes | None) -> ActiveJob | None:
    if not stored:
        return None
    known = {field.name for field in fields(ActiveJob)}  # a service of another release may tell more
    return ActiveJob(**{name: value for name, value in json.loads(stored).items() if name in known})
