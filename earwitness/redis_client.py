"""Connections to Redis, sync and asyncio, with one rule for what happens when it does not answer.

A command whose connection breaks is sent again for `RETRY_SECONDS`, so that a Redis that restarts costs a pause and not
the process; then it fails with an `InfrastructureError` that names the server (never its password). A command may
therefore run twice: everything that Earwitness sends through these clients gives the same state when applied twice.
A server that holds the connection but stays silent fails after `SOCKET_SECONDS`; that is not repeated, since a second
silence would double the wait. A server that answers but refuses writes for the moment (its disk or memory is full, it
is loading, it has become a replica) is one that does not answer, also where a script meets the refusal: that is before
it has changed anything.

A worker has more patience (`Patience`): it has nothing else to do, and may have a model in memory that takes minutes to
load. It goes on asking for `OUTAGE_SECONDS`, whatever way the server does not answer, and says what it waits for.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from earwitness.errors import InfrastructureError, InputError
from earwitness.log import Logger
from earwitness.redis_address import RedisAddress, parse

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

OUTAGE_SECONDS = 120.0
"""How long workers wait for a server that is away: time for it to be placed on another node and to read its file."""

LONGEST_OUTAGE_DELAY_SECONDS = 2.0
"""Longest pause between two attempts of one who has patience: many workers must not crowd a server that comes up."""

FIRST_SAID_SECONDS = 1.0
"""A shorter pause is not worth a line."""

SAY_SECONDS = 5.0
"""Pause between two lines that say what is waited for."""


@dataclass(frozen=True)
class Patience:
    """Waits out an outage of `seconds` and says so in `log`; only then it is an error."""

    log: Logger
    seconds: float = OUTAGE_SECONDS


def connect(url: str, at_first: Patience | None = None) -> redis.Redis:
    """A client that has reached the server at `url`; raises `InfrastructureError` within 5 s if there is none, or once
    the patience `at_first` is at its end.

    Raises InputError if the URL is none, or the server is not fit: without that database, or dropping keys when full.
    """
    client = Client(url)
    client.require_fit(at_first)
    return client


def connect_once(url: str, seconds: float) -> redis.Redis:
    """A client that asks once and waits `seconds`: Redis's own ConnectionError or TimeoutError if nobody answers."""
    pool = _pool(parse(url), redis, Retry, socket_timeout=seconds, socket_connect_timeout=seconds)
    return redis.Redis(connection_pool=pool)


async def connect_async(
    url: str, patience: Patience | None = None, at_first: Patience | None = None
) -> redis.asyncio.Redis:
    """As `connect`, for asyncio. Close it with `await client.aclose()`. `patience` holds for every command, `at_first`
    until the server is reached."""
    client = _AsyncClient(url, patience or at_first)
    try:
        try:
            require_keeping((await client.info("memory")).get("maxmemory_policy"), client.where)
        except redis.exceptions.NoPermissionError:
            await client.ping()
        except redis.ResponseError as error:
            raise _refused(client.where, error) from error
    except BaseException:
        await client.aclose()
        raise
    client.patience = patience
    return client


KEEPING = "noeviction"
"""The only `maxmemory-policy` under which a server that is full refuses a write instead of dropping what it holds."""


def require_keeping(policy: str | None, where: str) -> None:
    """Raises InputError if the server may drop keys; None: it does not say."""
    if policy not in (None, KEEPING):
        problem = f"maxmemory-policy is {policy}: it drops keys when it is full"
        raise InputError(f"Redis at {where}", problem, f"{KEEPING} (CONFIG SET maxmemory-policy {KEEPING})")


def _refused(where: str, error: redis.ResponseError) -> InputError:
    return InputError(f"Redis at {where}", _words(error), "a database and a user that the server has")


_OPTIONS: dict[str, Any] = {
    "socket_timeout": SOCKET_SECONDS,
    "socket_connect_timeout": CONNECT_SECONDS,
    "health_check_interval": 0,
    "protocol": 2,  # one reply shape whatever the server's age
}


class _Repetition:
    """Decides, after each failure of one command, whether it is sent again and after how long."""

    def __init__(self, where: str, patience: Patience | None = None) -> None:
        self._what = f"Redis at {where}"
        self._patience = patience
        self._limit = patience.seconds if patience else RETRY_SECONDS
        self._longest_delay = LONGEST_OUTAGE_DELAY_SECONDS if patience else LONGEST_DELAY_SECONDS
        self._started = time.monotonic()
        self._said = -SAY_SECONDS
        self._delay = FIRST_DELAY_SECONDS

    def delay(self, error: redis.RedisError) -> float:
        """Seconds to wait before the next attempt; raises `InfrastructureError` when there is none."""
        elapsed = time.monotonic() - self._started
        refused = isinstance(error, redis.AuthenticationError)
        full = isinstance(error, redis.exceptions.OutOfMemoryError)  # those who fill it make room themselves
        comes_back = isinstance(error, redis.ConnectionError) or (_refuses(error) and not full)
        broken = comes_back or self._patience is not None
        if refused or not broken or elapsed + self._delay > self._limit:
            raise InfrastructureError(self._what, elapsed, _words(error)) from error
        if self._patience and elapsed > FIRST_SAID_SECONDS and elapsed - self._said >= SAY_SECONDS:
            self._said = elapsed
            self._patience.log.warning(
                "waiting", waiting_for=self._what, seconds=round(elapsed, 1), limit=self._limit, error=_words(error)
            )
        delay, self._delay = self._delay, min(2 * self._delay, self._longest_delay)
        return delay

    def answered(self) -> None:
        """The server is back; said if its absence was."""
        if self._patience and self._said >= 0:
            seconds = round(time.monotonic() - self._started, 1)
            self._patience.log.info("answers again", waited_for=self._what, seconds=seconds)


_REFUSALS = re.compile(
    r"MISCONF|OOM command not allowed|READONLY|read only replica|NOREPLICAS|MASTERDOWN|BUSY Redis is busy|LOADING"
)
"""How a server says that it takes no writes for the moment; from within a script under any error class."""


def _refuses(error: redis.RedisError) -> bool:
    return isinstance(error, redis.exceptions.OutOfMemoryError) or (
        isinstance(error, redis.ResponseError) and bool(_REFUSALS.search(str(error)))
    )


def _unanswered(error: redis.RedisError) -> bool:
    return isinstance(error, redis.ConnectionError | redis.TimeoutError) or _refuses(error)


def _words(error: redis.RedisError) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _pool(address: RedisAddress, own: Any, retry: type[Any], **options: Any) -> Any:
    """Connections of `own`: redis, or redis.asyncio."""
    kinds = {"redis": own.Connection, "rediss": own.SSLConnection, "unix": own.UnixDomainSocketConnection}
    once = retry(NoBackoff(), 0)  # who repeats is this module
    tcp = {} if address.scheme == "unix" else {"socket_keepalive": True}
    fitting = {**_OPTIONS, **tcp, **options, **address.arguments()}
    return own.ConnectionPool(kinds[address.scheme], retry=once, **fitting)


class Client(redis.Redis):
    """What `connect` gives: a redis-py client that repeats broken commands."""

    def __init__(self, url: str) -> None:
        address = parse(url)
        super().__init__(connection_pool=_pool(address, redis, Retry))
        self.auto_close_connection_pool = True  # the pool is this client's own
        self.where = str(address)
        self._patience: Patience | None = None

    def require_fit(self, patience: Patience | None = None) -> None:
        """Reach the server, with `patience` until it answers. Raises InputError if it is not fit, InfrastructureError
        if it does not answer."""
        self._patience = patience
        try:
            require_keeping(self.info("memory").get("maxmemory_policy"), self.where)
        except redis.exceptions.NoPermissionError:
            self.ping()
        except redis.ResponseError as error:
            raise _refused(self.where, error) from error
        finally:
            self._patience = None

    def execute_command(self, *args: Any, **options: Any) -> Any:
        return self.repeat(lambda: super(Client, self).execute_command(*args, **options))

    def repeat(self, action: Callable[[], T]) -> T:
        """Does it, again if the connection breaks, by this module's rule."""
        repetition = _Repetition(self.where, self._patience)
        while True:
            try:
                reply = action()
            except redis.RedisError as error:
                if not _unanswered(error):
                    raise
                time.sleep(repetition.delay(error))
            else:
                repetition.answered()
                return reply


class _AsyncClient(redis.asyncio.Redis):
    def __init__(self, url: str, patience: Patience | None) -> None:
        address = parse(url)
        super().__init__(connection_pool=_pool(address, redis.asyncio, AsyncRetry))
        self.auto_close_connection_pool = True  # the pool is this client's own
        self.where = str(address)
        self.patience = patience

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        repetition = _Repetition(self.where, self.patience)
        task = asyncio.current_task()
        cancelled = task.cancelling() if task else 0
        while True:
            try:
                reply = await super().execute_command(*args, **options)
            except redis.RedisError as error:
                if not _unanswered(error):
                    raise
                await asyncio.sleep(repetition.delay(error))
            else:
                repetition.answered()
                # redis-py sends within `asyncio.wait_for`, which before Python 3.12 drops a cancellation that arrives
                # as the send completes: the task would run on for ever.
                if task and task.cancelling() > cancelled:
                    raise asyncio.CancelledError
                return reply
