"""Every operation of the queue, without a connection.

Each function is a generator: it yields Redis commands, is sent their replies, and returns the result. `Queue` and
`AsyncQueue` only carry commands and replies to and fro, so keys, scripts and encoding exist once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Any, TypeVar

import redis

from earwitness.queue.names import (
    CONSUMERS,
    COUNTS,
    DEAD,
    LEDGER,
    NEWEST,
    READY,
    RUN,
    SHOWN,
    STATE_OF,
    STREAMS,
    TASKS,
    WORKER,
)
from earwitness.queue.values import (
    AlreadyUsedError,
    Counts,
    DeadLetter,
    Lag,
    Outcome,
    PayloadTooLargeError,
    StaleRunError,
    Taken,
    Worker,
)
from earwitness.redis_client import SOCKET_SECONDS
from earwitness.wire.trajectory.v1 import trajectory_pb2

T = TypeVar("T")
Commands = Generator[tuple[Any, ...], Any, T]

MAX_PAYLOAD_BYTES = 32 * 1024 * 1024
"""Most bytes of one entry, as of one gRPC message. A group of 16 trajectories of 32k tokens is about 6 MiB."""

MAX_DELIVERIES = 3
"""Work that was delivered so often without a result goes to `ew:dead`: it probably kills its workers."""

CLAIM_IDLE_MS = 10_000
"""Work whose holder has not renewed it for so long is given to another."""

LONGEST_BLOCK_MS = int(SOCKET_SECONDS * 1000) - 2000
"""A blocking read ends before the connection counts as dead."""

RUN_KEPT_SECONDS = 7 * 24 * 3600
"""Ledgers of runs that are over stay this long, for reports."""

DEAD_KEPT = 100
"""Dead letters kept whole; the ledger has the reason of every one."""

SHOWN_KEPT = 48
"""Groups to look at: some minutes of a job, and a few megabytes."""

REASON_CHARS = 500
"""Most characters of what went wrong with work that failed: enough to recognise it."""

WORKER_SECONDS = 15
"""An announcement that is not repeated for so long is gone."""

PARKED = "left"
"""The consumer that holds, as long idle, what a worker held when it left."""

PARKED_IDLE_MS = 24 * 3600 * 1000
"""More than any claim limit."""


def open_run(run_id: str, used: Mapping[int, int] | None, dropped: Mapping[int, str] | None) -> Commands[None]:
    states = {str(ordinal): f"used:{step}" for ordinal, step in (used or {}).items()}
    states |= {str(ordinal): f"dropped:{reason}" for ordinal, reason in (dropped or {}).items()}
    job, rank = _rank(run_id)
    arguments = (run_id, CONSUMERS, json.dumps(states), LEDGER, COUNTS, RUN_KEPT_SECONDS, rank)
    reply = yield from _script("open_run", [*_run_keys(run_id), NEWEST + job, *STREAMS], arguments)
    if reply[0] == b"stale":
        raise StaleRunError(run_id, reply[1].decode())


def close_run(run_id: str) -> Commands[None]:
    yield from _script("close_run", [*_run_keys(run_id), *STREAMS], (run_id, CONSUMERS, RUN_KEPT_SECONDS))


def issue(task: trajectory_pb2.GroupTask) -> Commands[bool]:
    data = _payload("task", task)
    issued = yield from _script("issue", [*_run_keys(task.run_id), TASKS], (task.run_id, task.ordinal, data))
    return bool(issued)


def take(stream: str, consumer: str, count: int, block_ms: int, claim_idle_ms: int) -> Commands[list[Taken]]:
    arguments = (CONSUMERS, consumer, count, claim_idle_ms, MAX_DELIVERIES, LEDGER, COUNTS, DEAD_KEPT, TASKS)
    found = yield from _with_group(stream, lambda: _script("take", [stream, RUN, DEAD], arguments))
    if found or block_ms <= 0:
        return [Taken(message_id.decode(), data) for message_id, data in found]
    block = min(block_ms, LONGEST_BLOCK_MS)
    read = ("XREADGROUP", "GROUP", CONSUMERS, consumer, "COUNT", count, "BLOCK", block, "STREAMS", stream, ">")
    reply = yield from _with_group(stream, lambda: _command(*read))
    entries = reply[0][1] if reply else []
    return [Taken(message_id.decode(), fields.get(b"data", b"")) for message_id, fields in entries]


def renew(stream: str, consumer: str, message_ids: Sequence[str]) -> Commands[list[str]]:
    if not message_ids:
        return []
    held = yield from _with_group(stream, lambda: _script("renew", [stream], (CONSUMERS, consumer, *message_ids)))
    return [message_id.decode() for message_id in held]


def hand_off(stream_from: str, message_id: str, group: trajectory_pb2.Group, stream_to: str) -> Commands[Outcome]:
    task = group.task
    keys = [*_run_keys(task.run_id), stream_from, stream_to]
    data = _payload("group", group)
    arguments = (task.run_id, task.ordinal, CONSUMERS, message_id, STATE_OF[stream_to], data)
    outcome = yield from _script("hand_off", keys, arguments)
    return _outcome(outcome)


def drop(stream_from: str, message_id: str, run_id: str, ordinal: int, reason: str) -> Commands[Outcome]:
    arguments = (run_id, ordinal, CONSUMERS, message_id, reason, STATE_OF[stream_from])
    outcome = yield from _script("drop", [*_run_keys(run_id), stream_from], arguments)
    return _outcome(outcome)


def fail(stream: str, consumer: str, message_id: str, reason: str) -> Commands[Outcome]:
    words = " ".join(reason.split())[:REASON_CHARS]
    arguments = (
        CONSUMERS, consumer, message_id, words, PARKED, PARKED_IDLE_MS, MAX_DELIVERIES, LEDGER, COUNTS, DEAD_KEPT,
    )  # fmt: skip
    outcome = yield from _with_group(stream, lambda: _script("fail", [stream, RUN, DEAD], arguments))
    return _outcome(outcome)


def hand_back(consumer: str, message_id: str, task: trajectory_pb2.GroupTask) -> Commands[bool]:
    begun = _payload("what was generated", trajectory_pb2.GroupTask(begun=task.begun))
    keys = [RUN, LEDGER + task.run_id, TASKS]
    arguments = (task.run_id, task.ordinal, CONSUMERS, consumer, message_id, PARKED, PARKED_IDLE_MS, begun)
    reply = yield from _with_group(TASKS, lambda: _script("hand_back", keys, arguments))
    return bool(reply == b"ok")


def use(run_id: str, step: int, taken: Sequence[tuple[str, int]]) -> Commands[None]:
    pairs = [part for message_id, ordinal in taken for part in (message_id, ordinal)]
    reply = yield from _script("use", [*_run_keys(run_id), READY], (run_id, CONSUMERS, step, *pairs))
    if reply[0] == b"stale":
        raise StaleRunError(run_id, reply[1].decode())
    if reply[0] == b"conflict":
        raise AlreadyUsedError(run_id, int(reply[1]), reply[2].decode())


def recount(run_id: str) -> Commands[int]:
    lost = yield from _script("recount", [*_run_keys(run_id), *STREAMS], (run_id,))
    return int(lost)


def counts(run_id: str) -> Commands[Counts]:
    reply = yield ("HGETALL", COUNTS + run_id)
    return Counts(**{state.decode(): int(number) for state, number in reply.items()})


def ledger(run_id: str) -> Commands[dict[int, str]]:
    reply = yield ("HGETALL", LEDGER + run_id)
    return {int(ordinal): state.decode() for ordinal, state in reply.items()}


def lag() -> Commands[list[Lag]]:
    lags = []
    for stream in STREAMS:
        length = yield ("XLEN", stream)
        pending = (yield ("XPENDING", stream, CONSUMERS))["pending"] if length else 0
        lags.append(Lag(stream, max(length - pending, 0), pending))
    return lags


def current_run() -> Commands[str]:
    reply = yield ("GET", RUN)
    return reply.decode() if reply else ""


def show(group: trajectory_pb2.Group) -> Commands[None]:
    yield ("LPUSH", SHOWN, _payload("group", group))
    yield ("LTRIM", SHOWN, 0, SHOWN_KEPT - 1)


def shown() -> Commands[list[bytes]]:
    reply = yield ("LRANGE", SHOWN, 0, -1)
    return list(reply)


def forget(stream: str, consumer: str) -> Commands[None]:
    yield from _with_group(stream, lambda: _script("forget", [stream], (CONSUMERS, consumer, PARKED, PARKED_IDLE_MS)))


def dead_letters() -> Commands[list[DeadLetter]]:
    reply = yield ("XRANGE", DEAD, "-", "+")
    return [
        DeadLetter(
            stream=fields[b"stream"].decode(),
            run_id=fields[b"run"].decode(),
            ordinal=int(fields[b"ordinal"]),
            reason=fields[b"reason"].decode(),
            data=fields[b"data"],
        )
        for _, fields in reply
    ]


def announce(role: str, name: str, fields: Mapping[str, str | int | float]) -> Commands[None]:
    pairs = [part for item in fields.items() for part in item]
    yield from _script("announce", [f"{WORKER}{role}:{name}"], (WORKER_SECONDS, *pairs))


def workers() -> Commands[list[Worker]]:
    found = {}  # SCAN may name a key twice
    cursor = 0
    while True:
        cursor, keys = yield ("SCAN", cursor, "MATCH", WORKER + "*", "COUNT", 1000)
        for key in keys:
            fields = yield ("HGETALL", key)
            if fields:  # else it expired between the two commands
                role, name = key.decode().removeprefix(WORKER).split(":", 1)
                named = {field.decode(): value.decode() for field, value in fields.items()}
                found[role, name] = Worker(role, name, named)
        if not cursor:
            return [found[key] for key in sorted(found)]


_RUN_ID = re.compile(r"(.+)/(\d+)-([a-z0-9-]+)/(\d+)")


def _rank(run_id: str) -> tuple[str, str]:
    """The job of a run, and what orders the job's runs: stage, phase, lineage. A run of no job has no order."""
    found = _RUN_ID.fullmatch(run_id)
    if found is None:
        return run_id, ""
    job, stage, phase, lineage = found.groups()
    return job, f"{int(stage):06d} {phase} {int(lineage):010d}"  # a space comes before every other character


def _run_keys(run_id: str) -> list[str]:
    return [RUN, LEDGER + run_id, COUNTS + run_id]


def _payload(what: str, message: trajectory_pb2.GroupTask | trajectory_pb2.Group) -> bytes:
    data = message.SerializeToString()
    if len(data) > MAX_PAYLOAD_BYTES:
        raise PayloadTooLargeError(what, len(data), MAX_PAYLOAD_BYTES)
    return data


def _outcome(reply: bytes) -> Outcome:
    outcomes: dict[bytes, Outcome] = {b"ok": "ok", b"duplicate": "duplicate", b"stale": "stale"}
    return outcomes[reply]


def _command(*command: Any) -> Commands[Any]:
    reply = yield command
    return reply


@cache
def script_source(name: str) -> tuple[str, str]:
    """A script with the ledger functions in front, and its hash."""
    folder = files("earwitness.queue") / "lua"
    source = "\n".join((folder / f"{part}.lua").read_text() for part in ("ledger", name))
    return source, sha1(source.encode(), usedforsecurity=False).hexdigest()


def _script(name: str, keys: Sequence[str], arguments: Sequence[Any]) -> Commands[Any]:
    source, digest = script_source(name)
    try:
        reply = yield ("EVALSHA", digest, len(keys), *keys, *arguments)
    except redis.exceptions.NoScriptError:  # first use, or the server restarted
        reply = yield ("EVAL", source, len(keys), *keys, *arguments)
    return reply


_WITHOUT_GROUP = ("NOGROUP", "UNBLOCKED")
"""How Redis says that a group is missing, or went with its stream while a reader was blocked."""


def _with_group(stream: str, commands: Callable[[], Commands[T]]) -> Commands[T]:
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
