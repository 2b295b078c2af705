"""How an operation of the queue talks to Redis, without a connection: one command, a script, a consumer group."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Any, TypeVar

import redis

from earwitness.queue.names import CONSUMERS

T = TypeVar("T")
Commands = Generator[tuple[Any, ...], Any, T]


def command(*words: Any) -> Commands[Any]:
    """One command."""
    reply = yield words
    return reply


@cache
def script_source(name: str) -> tuple[str, str]:
    """A script with the ledger functions in front, and its hash."""
    folder = files("earwitness.queue") / "lua"
    source = "\n".join((folder / f"{part}.lua").read_text() for part in ("ledger", name))
    return source, sha1(source.encode(), usedforsecurity=False).hexdigest()


def script(name: str, keys: Sequence[str], arguments: Sequence[Any]) -> Commands[Any]:
    """Runs a script by its hash, or sends it whole where the server does not know it."""
    source, digest = script_source(name)
    try:
        reply = yield ("EVALSHA", digest, len(keys), *keys, *arguments)
    except redis.exceptions.NoScriptError:  # first use, or the server restarted
        reply = yield ("EVAL", source, len(keys), *keys, *arguments)
    return reply


_WITHOUT_GROUP = ("NOGROUP", "UNBLOCKED")
"""How Redis says that a group is missing, or went with its stream while a reader was blocked."""


def with_group(stream: str, commands: Callable[[], Commands[T]]) -> Commands[T]:
    """Runs commands that need the stream's consumer group, which is missing before the first run is opened."""
    try:
        return (yield from commands())
    except redis.ResponseError as error:
        if not any(word in str(error) for word in _WITHOUT_GROUP):
            raise
    try:
        yield ("XGROUP", "CREATE", stream, CONSUMERS, "0", "MKSTREAM")
    except redis.ResponseError as error:
        if "BUSYGROUP" not in str(error):  # another was faster
            raise
    return (yield from commands())
