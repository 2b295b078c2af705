"""Connections to Redis, sync and asyncio, with one rule for what happens when it does not answer.

A command whose connection breaks is sent again for `RETRY_SECONDS`, so that a Redis that restarts costs a pause and not
the process; then it fails with an `InfrastructureError` that names the server (never its password). A command may
therefore run twice: everything that Earwitness sends through these clients gives the same state when applied twice.
A server that holds the connection but stays silent fails after `SOCKET_SECONDS`; that is not repeated, since a second
silence would double the wait.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from earwitness.errors import InfrastructureError

T = TypeVar("T")

RETRY_SECONDS = 4.0
"""How long broken connections are tried again: an error reaches the caller within 5 s."""

SOCKET_SECONDS = 4.5
"""Longest silence of an open connection: an error within 5 s. Blocking reads must end before it."""

CONNECT_SECONDS = 3.0
"""Longest wait for a TCP connection."""

FIRST_DELAY_SECONDS = 0.05
"""Pause before the first repetition; doubled up to `LONGEST_DELAY_SECONDS`."""

LONGEST_DELAY_SECONDS = 0.5
"""A restarted server is found within this time."""


def connect(url: str) -> redis.Redis:
    """A client that has reached the server at `url`; raises `InfrastructureError` within 5 s if there is none."""
    client = Client(url)
    client.ping()
    return client


async def connect_async(url: str) -> redis.asyncio.Redis:
    """As `connect`, for asyncio. Close it with `await client.aclose()`."""
    client = _AsyncClient(url)
    try:
        await client.ping()
    except BaseException:
        await client.aclose()
        raise
    return client


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if ":" in host:
        host = f"[{host}]"
    user = f"{parts.username}@" if parts.username else ""
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, f"{user}{host}{port}", parts.path, "", ""))


_OPTIONS: dict[str, Any] = {
    "socket_timeout": SOCKET_SECONDS,
    "socket_connect_timeout": CONNECT_SECONDS,
    "socket_keepalive": True,
    "health_check_interval": 0,
    "protocol": 2,  # one reply shape whatever the server's age
}


class _Repetition:
    """Decides, after each failure of one command, whether it is sent again and after how long."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._started = time.monotonic()
        self._delay = FIRST_DELAY_SECONDS

    def delay(self, error: redis.RedisError) -> float:
        """Seconds to wait before the next attempt; raises `InfrastructureError` when there is none."""
        elapsed = time.monotonic() - self._started
        broken = isinstance(error, redis.ConnectionError) and not isinstance(error, redis.AuthenticationError)
        if not broken or elapsed + self._delay > RETRY_SECONDS:
            raise InfrastructureError(f"Redis at {self._where}", elapsed, _words(error)) from error
        delay, self._delay = self._delay, min(2 * self._delay, LONGEST_DELAY_SECONDS)
        return delay


_UNANSWERED = (redis.ConnectionError, redis.TimeoutError, redis.exceptions.OutOfMemoryError)


def _words(error: redis.RedisError) -> str:
    return " ".join(str(error).split()) or type(error).__name__


class Client(redis.Redis):
    """What `connect` gives: a redis-py client that repeats broken commands."""

    def __init__(self, url: str) -> None:
        pool = redis.ConnectionPool.from_url(url, retry=Retry(NoBackoff(), 0), **_OPTIONS)
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True  # the pool is this client's own
        self._where = without_password(url)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        return self.repeat(lambda: super(Client, self).execute_command(*args, **options))

    def repeat(self, action: Callable[[], T]) -> T:
        """Does it, again if the connection breaks, by this module's rule."""
        repetition = _Repetition(self._where)
        while True:
            try:
                return action()
            except _UNANSWERED as error:
                time.sleep(repetition.delay(error))


class _AsyncClient(redis.asyncio.Redis):
    def __init__(self, url: str) -> None:
        pool = redis.asyncio.ConnectionPool.from_url(url, retry=AsyncRetry(NoBackoff(), 0), **_OPTIONS)
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True  # the pool is this client's own
        self._where = without_password(url)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        repetition = _Repetition(self._where)
        task = asyncio.current_task()
        cancelled = task.cancelling() if task else 0
        while True:
            try:
                reply = await super().execute_command(*args, **options)
            except _UNANSWERED as error:
                await asyncio.sleep(repetition.delay(error))
            else:
                # redis-py sends within `asyncio.wait_for`, which before Python 3.12 drops a cancellation that arrives
                # as the send completes: the task would run on for ever.
                if task and task.cancelling() > cancelled:
                    raise asyncio.CancelledError
                return reply
