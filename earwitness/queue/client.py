"""The queue over a blocking connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import redis

from earwitness.queue import commands
from earwitness.queue.commands import CLAIM_IDLE_MS, Commands, T
from earwitness.queue.values import Counts, DeadLetter, Lag, Outcome, Taken, Worker
from earwitness.wire.trajectory.v1 import trajectory_pb2


class Queue:
    """Work between the stations, over `connect(url)`. See the package for what it promises.

    Every method raises `InfrastructureError` if Redis does not answer.
    """

    def __init__(self, client: redis.Redis, claim_idle_ms: int = CLAIM_IDLE_MS) -> None:
        """`claim_idle_ms`: work whose holder has not renewed it for so long is given to another by `take`."""
        self._client = client
        self._claim_idle_ms = claim_idle_ms

    def open_run(
        self, run_id: str, used: Mapping[int, int] | None = None, dropped: Mapping[int, str] | None = None
    ) -> None:
        """Makes `run_id` the current run; `used` (ordinal -> step) and `dropped` (ordinal -> reason) enter its ledger.

        If another run was current, what it had in flight is dropped as superseded and the streams are emptied.
        If `run_id` is current already, what is in flight stays, and so does every ordinal that is used or dropped.
        Raises `StaleRunError` if a later run of the same job was opened before: by stage, phase, then lineage.
        """
        self._run(commands.open_run(run_id, used, dropped))

    def close_run(self, run_id: str) -> None:
        """Ends the current run: what is in flight is dropped as "closed", the streams are emptied."""
        self._run(commands.close_run(run_id))

    def issue(self, task: trajectory_pb2.GroupTask) -> bool:
        """Puts a task on `ew:tasks`. False if its ordinal was issued already or its run is not current.

        Raises `PayloadTooLargeError`.
        """
        return self._run(commands.issue(task))

    def take(self, stream: str, consumer: str, count: int = 1, block_ms: int = 1000) -> list[Taken]:
        """Up to `count` entries: first those whose holder went silent, then new ones.

        Waits up to `block_ms` (at most 2500) for the first new one. Work delivered three times without a result is not
        given out again but put on `ew:dead`.
        """
        return self._run(commands.take(stream, consumer, count, block_ms, self._claim_idle_ms))

    def renew(self, stream: str, consumer: str, message_ids: Sequence[str]) -> list[str]:
        """Says that the consumer still works on these. Returns those it still holds; the rest is another's now."""
        return self._run(commands.renew(stream, consumer, message_ids))

    def hand_off(self, stream_from: str, message_id: str, group: trajectory_pb2.Group, stream_to: str) -> Outcome:
        """Moves a group to the next stream, marks the ledger and removes the entry it came from, all at once.

        In every outcome the entry is settled and the caller goes on; only "ok" added something. A repeated hand-off
        is a "duplicate". Raises `PayloadTooLargeError`.
        """
        return self._run(commands.hand_off(stream_from, message_id, group, stream_to))

    def drop(self, stream_from: str, message_id: str, run_id: str, ordinal: int, reason: str) -> Outcome:
        """Ends an ordinal with a reason and removes the entry it came from."""
        return self._run(commands.drop(stream_from, message_id, run_id, ordinal, reason))

    def fail(self, stream: str, consumer: str, message_id: str, reason: str) -> Outcome:
        """Says that work the consumer holds ended in an error that nobody expected.

        It is given out again at once, and this delivery counts: after three it is a dead letter with the reason.
        "stale" if the consumer no longer holds it.
        """
        return self._run(commands.fail(stream, consumer, message_id, reason))

    def hand_back(self, consumer: str, message_id: str, task: trajectory_pb2.GroupTask) -> bool:
        """For a clean leave: the task can be claimed at once, and who takes it finds `task.begun` in it.

        The ordinal stays issued and this does not count as a failed delivery. False, and nothing kept, if the consumer
        no longer holds the task or its run is over. Raises `PayloadTooLargeError`.
        """
        return self._run(commands.hand_back(consumer, message_id, task))

    def use(self, run_id: str, step: int, taken: Sequence[tuple[str, int]]) -> None:
        """Marks groups that the caller holds, (message id, ordinal) each, as used by `step`: all or, on an error, none.

        Those used by the same step already are only removed from the stream, so that a repetition is harmless. One
        whose ledger went back a second in a crash of the server moves forward from wherever it is.
        Raises `AlreadyUsedError` if one is dropped, used by another step, or comes twice; `StaleRunError` if the run is
        not current.
        """
        self._run(commands.use(run_id, step, taken))

    def recount(self, run_id: str) -> int:
        """Looks for ordinals that the ledger has in flight and no stream holds, which nobody would ever finish.

        They leave the ledger, so that they can be issued again. Returns how many there were.
        """
        return self._run(commands.recount(run_id))

    def counts(self, run_id: str) -> Counts:
        """How many ordinals of the run are in each state."""
        return self._run(commands.counts(run_id))

    def ledger(self, run_id: str) -> dict[int, str]:
        """State of every ordinal of the run: as in `STATE_OF`, `used:{step}` or `dropped:{reason}`."""
        return self._run(commands.ledger(run_id))

    def lag(self) -> list[Lag]:
        """Waiting and pending entries of each stream."""
        return self._run(commands.lag())

    def current_run(self) -> str:
        """The current run id; empty if there is none."""
        return self._run(commands.current_run())

    def show(self, group: trajectory_pb2.Group) -> None:
        """Keeps a scored group for people to look at, beside the newest few. No part of the work."""
        self._run(commands.show(group))

    def shown(self) -> list[bytes]:
        """The groups of `show`, the newest first, as bytes."""
        return self._run(commands.shown())

    def forget(self, stream: str, consumer: str) -> None:
        """For a clean leave: what the consumer held can be claimed at once and does not count as a failed delivery."""
        self._run(commands.forget(stream, consumer))

    def dead_letters(self) -> list[DeadLetter]:
        """The newest dead letters, oldest first."""
        return self._run(commands.dead_letters())

    def announce(self, role: str, name: str, fields: Mapping[str, str | int | float]) -> None:
        """Says that a worker is there, for 15 s."""
        self._run(commands.announce(role, name, fields))

    def workers(self) -> list[Worker]:
        """Who has announced itself lately, by role and name."""
        return self._run(commands.workers())

    def _run(self, operation: Commands[T]) -> T:
        try:
            command = next(operation)
            while True:
                try:
                    reply = self._client.execute_command(*command)
                except redis.ResponseError as error:
                    command = operation.throw(error)
                else:
                    command = operation.send(reply)
        except StopIteration as end:
            result: T = end.value
            return result
