"""Every operation of the queue, without a connection.

Each function is a generator: it yields Redis commands, is sent their replies, and returns the result. `Queue` and
`AsyncQueue` only carry commands and replies to and fro, so keys, scripts and encoding exist once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from earwitness.queue.names import (
    CARRIED,
    CONSUMERS,
    COUNTS,
    DEAD,
    LEARNED,
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
from earwitness.queue.scripts import Commands, command, script, with_group
from earwitness.queue.values import (
    AlreadyUsedError,
    Announced,
    Counts,
    DeadLetter,
    Lag,
    Outcome,
    PayloadTooLargeError,
    StaleRunError,
    Taken,
    Ways,
)
from earwitness.redis_client import SOCKET_SECONDS
from earwitness.wire.trajectory.v1 import trajectory_pb2

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

WAYS_KEPT = 1024
"""Groups whose way is kept, and moves of weights: half a kilobyte each, some minutes of a job."""

REASON_CHARS = 500
"""Most characters of what went wrong with work that failed: enough to recognise it."""

WORKER_SECONDS = 15
"""An announcement that is not repeated for so long is gone."""

PARKED = "left"
"""The consumer that holds, as long idle, what a worker held when it left."""

PARKED_IDLE_MS = 24 * 3600 * 1000
"""More than any claim limit."""


def open_run(
    run_id: str, used: Mapping[int, int] | None = None, dropped: Mapping[int, str] | None = None
) -> Commands[None]:
    """Makes `run_id` the current run; `used` (ordinal -> step) and `dropped` (ordinal -> reason) enter its ledger.

    If another run was current, what it had in flight is dropped as superseded and the streams are emptied.
    If `run_id` is current already, what is in flight stays, and so does every ordinal that is used or dropped.
    Raises `StaleRunError` if a later run of the same job was opened before: by stage, phase, then lineage.
    """
    states = {str(ordinal): f"used:{step}" for ordinal, step in (used or {}).items()}
    states |= {str(ordinal): f"dropped:{reason}" for ordinal, reason in (dropped or {}).items()}
    job, rank = _rank(run_id)
    arguments = (run_id, CONSUMERS, json.dumps(states), LEDGER, COUNTS, RUN_KEPT_SECONDS, rank)
    reply = yield from script("open_run", [*_run_keys(run_id), NEWEST + job, *STREAMS], arguments)
    if reply[0] == b"stale":
        raise StaleRunError(run_id, reply[1].decode())


def close_run(run_id: str) -> Commands[None]:
    """Ends the current run: what is in flight is dropped as "closed", the streams are emptied."""
    yield from script("close_run", [*_run_keys(run_id), *STREAMS], (run_id, CONSUMERS, RUN_KEPT_SECONDS))


def issue(task: trajectory_pb2.GroupTask) -> Commands[bool]:
    """Puts a task on `ew:tasks`. False if its ordinal was issued already or its run is not current.

    Raises `PayloadTooLargeError`.
    """
    data = _payload("task", task)
    issued = yield from script("issue", [*_run_keys(task.run_id), TASKS], (task.run_id, task.ordinal, data))
    return bool(issued)


def take(stream: str, consumer: str, count: int, block_ms: int, claim_idle_ms: int) -> Commands[list[Taken]]:
    """Up to `count` entries: first those whose holder went silent, then new ones.

    Waits up to `block_ms` (at most 2500) for the first new one. Work delivered three times without a result is not
    given out again but put on `ew:dead`.
    """
    arguments = (CONSUMERS, consumer, count, claim_idle_ms, MAX_DELIVERIES, LEDGER, COUNTS, DEAD_KEPT, TASKS)
    found = yield from with_group(stream, lambda: script("take", [stream, RUN, DEAD], arguments))
    if found or block_ms <= 0:
        return [Taken(message_id.decode(), data) for message_id, data in found]
    block = min(block_ms, LONGEST_BLOCK_MS)
    read = ("XREADGROUP", "GROUP", CONSUMERS, consumer, "COUNT", count, "BLOCK", block, "STREAMS", stream, ">")
    reply = yield from with_group(stream, lambda: command(*read))
    entries = reply[0][1] if reply else []
    return [Taken(message_id.decode(), fields.get(b"data", b"")) for message_id, fields in entries]


def renew(stream: str, consumer: str, message_ids: Sequence[str]) -> Commands[list[str]]:
    """Says that the consumer still works on these. Returns those it still holds; the rest is another's now."""
    if not message_ids:
        return []
    held = yield from with_group(stream, lambda: script("renew", [stream], (CONSUMERS, consumer, *message_ids)))
    return [message_id.decode() for message_id in held]


def hand_off(stream_from: str, message_id: str, group: trajectory_pb2.Group, stream_to: str) -> Commands[Outcome]:
    """Moves a group to the next stream, marks the ledger and removes the entry it came from, all at once.

    In every outcome the entry is settled and the caller goes on; only "ok" added something. A repeated hand-off
    is a "duplicate". Raises `PayloadTooLargeError`.
    """
    task = group.task
    keys = [*_run_keys(task.run_id), stream_from, stream_to]
    data = _payload("group", group)
    arguments = (task.run_id, task.ordinal, CONSUMERS, message_id, STATE_OF[stream_to], data)
    outcome = yield from script("hand_off", keys, arguments)
    return _outcome(outcome)


def drop(stream_from: str, message_id: str, run_id: str, ordinal: int, reason: str) -> Commands[Outcome]:
    """Ends an ordinal with a reason and removes the entry it came from."""
    arguments = (run_id, ordinal, CONSUMERS, message_id, reason, STATE_OF[stream_from])
    outcome = yield from script("drop", [*_run_keys(run_id), stream_from], arguments)
    return _outcome(outcome)


def fail(stream: str, consumer: str, message_id: str, reason: str) -> Commands[Outcome]:
    """Says that work the consumer holds ended in an error that nobody expected.

    It is given out again at once, and this delivery counts: after three it is a dead letter with the reason.
    "stale" if the consumer no longer holds it.
    """
    words = " ".join(reason.split())[:REASON_CHARS]
    arguments = (
        CONSUMERS, consumer, message_id, words, PARKED, PARKED_IDLE_MS, MAX_DELIVERIES, LEDGER, COUNTS, DEAD_KEPT,
    )  # fmt: skip
    outcome = yield from with_group(stream, lambda: script("fail", [stream, RUN, DEAD], arguments))
    return _outcome(outcome)


def hand_back(consumer: str, message_id: str, task: trajectory_pb2.GroupTask) -> Commands[bool]:
    """For a clean leave: the task can be claimed at once, and who takes it finds `task.begun` in it.

    The ordinal stays issued and this does not count as a failed delivery. False, and nothing kept, if the consumer
    no longer holds the task or its run is over. Raises `PayloadTooLargeError`.
    """
    begun = _payload("what was generated", trajectory_pb2.GroupTask(begun=task.begun))
    keys = [RUN, LEDGER + task.run_id, TASKS]
    arguments = (task.run_id, task.ordinal, CONSUMERS, consumer, message_id, PARKED, PARKED_IDLE_MS, begun)
    reply = yield from with_group(TASKS, lambda: script("hand_back", keys, arguments))
    return bool(reply == b"ok")


def use(run_id: str, step: int, taken: Sequence[tuple[str, int]]) -> Commands[None]:
    """Marks groups that the caller holds, (message id, ordinal) each, as used by `step`: all or, on an error, none.

    Those used by the same step already are only removed from the stream, so that a repetition is harmless. One
    whose ledger went back a second in a crash of the server moves forward from wherever it is.
    Raises `AlreadyUsedError` if one is dropped, used by another step, or comes twice; `StaleRunError` if the run is
    not current.
    """
    pairs = [part for message_id, ordinal in taken for part in (message_id, ordinal)]
    reply = yield from script("use", [*_run_keys(run_id), READY], (run_id, CONSUMERS, step, *pairs))
    if reply[0] == b"stale":
        raise StaleRunError(run_id, reply[1].decode())
    if reply[0] == b"conflict":
        raise AlreadyUsedError(run_id, int(reply[1]), reply[2].decode())


def recount(run_id: str) -> Commands[int]:
    """Looks for ordinals that the ledger has in flight and no stream holds, which nobody would ever finish.

    They leave the ledger, so that they can be issued again. Returns how many there were.
    """
    lost = yield from script("recount", [*_run_keys(run_id), *STREAMS], (run_id,))
    return int(lost)


def counts(run_id: str) -> Commands[Counts]:
    """How many ordinals of the run are in each state."""
    reply = yield ("HGETALL", COUNTS + run_id)
    return Counts(**{state.decode(): int(number) for state, number in reply.items()})


def ledger(run_id: str) -> Commands[dict[int, str]]:
    """State of every ordinal of the run: as in `STATE_OF`, `used:{step}` or `dropped:{reason}`."""
    reply = yield ("HGETALL", LEDGER + run_id)
    return {int(ordinal): state.decode() for ordinal, state in reply.items()}


def lag() -> Commands[list[Lag]]:
    """Waiting and pending entries of each stream."""
    lags = []
    for stream in STREAMS:
        length = yield ("XLEN", stream)
        pending = (yield ("XPENDING", stream, CONSUMERS))["pending"] if length else 0
        lags.append(Lag(stream, max(length - pending, 0), pending))
    return lags


def current_run() -> Commands[str]:
    """The current run id; empty if there is none."""
    reply = yield ("GET", RUN)
    return reply.decode() if reply else ""


def show(group: trajectory_pb2.Group) -> Commands[None]:
    """Keeps a scored group for people to look at, beside the newest few. No part of the work."""
    yield ("LPUSH", SHOWN, _payload("group", group))
    yield ("LTRIM", SHOWN, 0, SHOWN_KEPT - 1)


def shown() -> Commands[list[bytes]]:
    """The groups of `show`, the newest first, as bytes."""
    reply = yield ("LRANGE", SHOWN, 0, -1)
    return list(reply)


def keep_learned(groups: Sequence[trajectory_pb2.Group]) -> Commands[None]:
    """Keeps the way of groups that a policy has learned from, beside the newest few. No part of the work."""
    yield ("LPUSH", LEARNED, *[group.SerializeToString() for group in groups])
    yield ("LTRIM", LEARNED, 0, WAYS_KEPT - 1)


def keep_carried(stay: trajectory_pb2.Passage) -> Commands[None]:
    """Keeps when a weight version was published, or loaded by a worker, beside the newest few."""
    yield ("LPUSH", CARRIED, stay.SerializeToString())
    yield ("LTRIM", CARRIED, 0, WAYS_KEPT - 1)


def ways() -> Commands[Ways]:
    """What `keep_learned` and `keep_carried` have kept."""
    groups = yield ("LRANGE", LEARNED, 0, -1)
    stays = yield ("LRANGE", CARRIED, 0, -1)
    return Ways(
        [trajectory_pb2.Group.FromString(data) for data in groups],
        [trajectory_pb2.Passage.FromString(data) for data in stays],
    )


def forget(stream: str, consumer: str) -> Commands[None]:
    """For a clean leave: what the consumer held can be claimed at once and does not count as a failed delivery."""
    yield from with_group(stream, lambda: script("forget", [stream], (CONSUMERS, consumer, PARKED, PARKED_IDLE_MS)))


def dead_letters() -> Commands[list[DeadLetter]]:
    """The newest dead letters, oldest first."""
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
    """Says that a worker is there, for 15 s."""
    pairs = [part for item in fields.items() for part in item]
    yield from script("announce", [f"{WORKER}{role}:{name}"], (WORKER_SECONDS, *pairs))


def workers() -> Commands[list[Announced]]:
    """Who has announced itself lately, by role and name."""
    found = {}  # SCAN may name a key twice
    cursor = 0
    while True:
        cursor, keys = yield ("SCAN", cursor, "MATCH", WORKER + "*", "COUNT", 1000)
        for key in keys:
            fields = yield ("HGETALL", key)
            if fields:  # else it expired between the two commands
                role, name = key.decode().removeprefix(WORKER).split(":", 1)
                named = {field.decode(): value.decode() for field, value in fields.items()}
                found[role, name] = Announced(role, name, named)
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
