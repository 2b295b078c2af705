"""Takes groups that are ready from the queue: rank 0 talks to Redis, all ranks get the same bytes."""

from __future__ import annotations

import struct
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import ParamSpec, TypeVar

from google.protobuf.message import DecodeError

from earwitness.artifacts import outline
from earwitness.errors import InfrastructureError, InputError
from earwitness.log import Logger
from earwitness.queue import READY, AlreadyUsedError, Queue, StaleRunError, arrival, commands
from earwitness.queue.scripts import Commands
from earwitness.wire.trajectory.v1 import trajectory_pb2
from trainer.board import PhaseWish
from trainer.checkpoint import Progress
from trainer.errors import NonFiniteError
from trainer.patience import patiently
from trainer.ranks.agreement import agree
from trainer.ranks.parallel import broadcast_bytes, is_rank_zero
from trainer.rl.groups import Sample, samples_of, spans_of
from trainer.rl.told import group_metrics

P = ParamSpec("P")
T = TypeVar("T")

BLOCK_MS = 500
"""Longest wait for a group before wishes are looked at again: a stop is noticed within a second."""

QUIET_SECONDS = 10.0
"""A wait longer than this is interrupted, so that the caller can look whether the weights are still there."""

RENEW_SECONDS = 2.0
"""How often rank 0 says that it still holds the groups it has taken; silent ones are given out again after 10 s."""

QUIET = b"quiet"
"""Rank 0 tells the others to return: clocks differ, so it alone looks at its own. Shorter than any group's length."""


class ReadyGroups:
    """The groups of one run, `count` for a step."""

    def __init__(
        self,
        queue: Queue | None,
        run_id: str,
        lineage: str,
        consumer: str,
        count: int,
        progress: Progress,
        wished: Callable[[], PhaseWish],
        log: Logger,
        *,
        max_staleness: int,
        vocab_size: int,
        max_positions: int,
        think_end: Sequence[int],
    ) -> None:
        """`queue` is None on ranks other than 0; `progress`: what the policy has learned from, only read here.

        `wished`: what is wished of the phase, asked by all ranks together.

        `lineage`: of the weights that the policy publishes; tokens of another are not its own.
        `max_staleness`: versions that a token may be behind the policy that learns from it; `think_end`: ids of
        what closes the think block.
        """
        self._queue = queue
        self._run_id = run_id
        self._lineage = lineage
        self._consumer = consumer
        self._count = count
        self._progress = progress
        self._wished = wished
        self._log = log
        self._max_staleness = max_staleness
        self._limits = {"vocab_size": vocab_size, "max_positions": max_positions}
        self._think_end = think_end
        self.learned: list[trajectory_pb2.Group] = []
        """Ways of the groups that the step learns from, the last stay under way; rank 0's, until somebody clears it."""
        self._held: dict[int, tuple[str, trajectory_pb2.Group]] = {}
        self._renewed = 0.0
        self._asked: deque[tuple[int, float]] = deque(maxlen=max_staleness + 1)
        """The newest versions for which groups were asked for, and when first, in seconds since the Unix epoch."""

    def open(self) -> None:
        """Begins the run: from now on its tasks are issued. Its ledger starts with what the policy has learned from.

        Raises StaleRunError, TrainingError on other ranks, if the phase was started again elsewhere.
        """
        agree(self._open)

    def take(self, version: int) -> tuple[list[list[Sample]], dict[str, float]] | None:
        """The next step's groups in the order of their ordinals, and figures. `version`: of the policy that learns.

        The ledger says already that the step uses them: what it has dropped meanwhile is never learned from.
        None if a wish came in before, or after QUIET_SECONDS; what was taken so far is held for the next call, which
        is for the same version.
        """
        give_up = time.monotonic() + QUIET_SECONDS
        if not self._asked or self._asked[-1][0] != version:
            self._asked.append((version, time.time()))
        while True:
            if self._wished() is not PhaseWish.NONE:
                return None
            agree(self._collect, version)
            agree(self._reserve)
            content = broadcast_bytes(self._pack(give_up) if is_rank_zero() else None)
            if content == QUIET:
                return None
            if content:
                groups = [trajectory_pb2.Group.FromString(data) for data in _unpack(content)]
                samples = [samples_of(group, **self._limits) for group in groups]
                now = time.time()
                self.learned = [self._way(message_id, group, now) for message_id, group in self._held.values()]
                self._held.clear()
                asked = [when for _, when in self._asked]
                before = max(self._progress.used, default=-1)
                return samples, group_metrics(groups, version, self._think_end, asked, now, before)

    def dropped(self) -> dict[int, str]:
        """Ordinals that were dropped, with their reasons; empty on ranks other than 0."""
        ledger = agree(self._patiently, commands.ledger, self._run_id) or {}
        return {o: state.removeprefix("dropped:") for o, state in ledger.items() if state.startswith("dropped:")}

    def keep(self, ways: Sequence[trajectory_pb2.Group]) -> None:
        """Keeps ways for people to look at; a queue that does not answer is not waited for."""
        if ways:
            self._beside(commands.keep_learned, ways)

    def carried(self, stay: trajectory_pb2.Passage) -> None:
        """Keeps when a version was published, likewise."""
        stay.worker = self._consumer
        self._beside(commands.keep_carried, stay)

    def _beside(self, keep: Callable[P, Commands[None]], *args: P.args, **kwargs: P.kwargs) -> None:
        if self._queue is None:
            return
        try:
            self._queue.run(keep(*args, **kwargs))
        except InfrastructureError as error:
            self._log.warning("the way of a group is not kept", error=str(error))

    def _way(self, message_id: str, group: trajectory_pb2.Group, now: float) -> trajectory_pb2.Group:
        way, arrived = outline(group), arrival(message_id)
        way.passages.add(
            station="train", worker=self._consumer, arrived=arrived, able=now, begun=now, lineage=self._lineage
        )
        return way

    def _open(self) -> None:
        self._patiently(commands.open_run, self._run_id, self._progress.used, self._progress.dropped)

    def _reserve(self) -> None:
        """Marks the step's groups, once there are enough, as used by it. Those at their end already are put away."""
        step = self._progress.step + 1
        while self._queue is not None and len(self._held) == self._count:
            taken = [(message_id, ordinal) for ordinal, (message_id, _) in sorted(self._held.items())]
            try:
                self._patiently(commands.use, self._run_id, step, taken)
                return
            except AlreadyUsedError as error:
                message_id, _ = self._held.pop(error.ordinal)
                self._log.warning("group put away", ordinal=error.ordinal, state=error.state)
                self._patiently(commands.drop, READY, message_id, self._run_id, error.ordinal, "at its end already")
            except StaleRunError as error:
                # The queue has lost the second in which the run began; or another start took over, then this fails.
                self._log.warning("the run is opened again", problem=str(error))
                self._open()

    def _collect(self, version: int) -> None:
        """Takes what is there, up to what a step needs; refuses what `version` cannot be trained on."""
        if self._queue is None:
            return
        now = time.monotonic()
        if now - self._renewed > RENEW_SECONDS:
            self._renewed = now
            held = [message_id for message_id, _ in self._held.values()]
            self._patiently(commands.renew, READY, self._consumer, held)
        missing = self._count - len(self._held)
        if missing == 0:
            return
        wanted = (READY, self._consumer, missing, BLOCK_MS, self._queue.claim_idle_ms)
        for message_id, data in self._patiently(commands.take, *wanted) or []:
            try:
                group = trajectory_pb2.Group.FromString(data)
            except DecodeError as error:
                self._log.error("group cannot be read", message_id=message_id, problem=str(error))
                self._patiently(commands.fail, READY, self._consumer, message_id, f"cannot be read ({error})")
                continue
            ordinal, run_id = group.task.ordinal, group.task.run_id
            if run_id != self._run_id and self._patiently(commands.current_run) != self._run_id:
                self._patiently(commands.forget, READY, self._consumer)  # another start's, which takes it again
                self._open()
                return
            if run_id == self._run_id and (step := self._progress.used.get(ordinal)) is not None:
                # The queue crashed, and the second in which the ordinal was used never reached its disk.
                self._log.warning("group was used before", ordinal=ordinal, step=step)
                self._patiently(commands.use, run_id, step, [(message_id, ordinal)])
            elif reason := self._refusal(group, version):
                self._log.warning("group dropped", ordinal=ordinal, reason=reason)
                self._patiently(commands.drop, READY, message_id, run_id, ordinal, reason)
            else:
                self._held[ordinal] = (message_id, group)

    def _refusal(self, group: trajectory_pb2.Group, version: int) -> str:
        """Why `version` cannot be trained on the group; empty if it can."""
        if group.task.run_id != self._run_id:
            return f"of run {group.task.run_id}, not {self._run_id}"
        try:
            samples_of(group, **self._limits)
        except (InputError, NonFiniteError) as error:
            return str(error)
        spans = spans_of(group)
        if others := {span.lineage for span in spans} - {self._lineage}:
            return f"generated under lineage {min(others) or 'unknown'}, not {self._lineage}"
        if (newest := max(span.version for span in spans)) > version:
            return f"of the future: generated under version {newest}, the policy is version {version}"
        oldest = min(span.version for span in spans)
        behind, bound = version - oldest, self._max_staleness
        return f"stale: generated under version {oldest}, {behind} behind, bound {bound}" if behind > bound else ""

    def _pack(self, give_up: float) -> bytes:
        """The step's groups, each with its length in front; empty while some are missing, QUIET if that takes long."""
        if len(self._held) < self._count:
            return QUIET if time.monotonic() > give_up else b""
        contents = [group.SerializeToString() for _, (_, group) in sorted(self._held.items())]
        return b"".join(struct.pack("<Q", len(content)) + content for content in contents)

    def _patiently(self, ask: Callable[P, Commands[T]], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """Asks again while the queue does not answer; everything asked here may be repeated. None without a queue."""
        queue = self._queue
        return None if queue is None else patiently(lambda: queue.run(ask(*args, **kwargs)), self._log)


def _unpack(content: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(content):
        (length,) = struct.unpack_from("<Q", content, start)
        start += 8
        yield content[start : start + length]
        start += length
