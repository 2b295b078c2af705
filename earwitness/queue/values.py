"""What the queue gives back, and its errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from earwitness.errors import EarwitnessError
from earwitness.wire.trajectory.v1 import trajectory_pb2

Outcome = Literal["ok", "duplicate", "stale"]
"""What became of a hand-off or drop: done; this ordinal was already there or at its end; its run is not current."""


class Taken(NamedTuple):
    """One entry of a stream, held by the consumer that took it until it is handed off, dropped or used."""

    message_id: str
    """Identity within its stream."""
    data: bytes
    """Serialised GroupTask (tasks) or Group (other streams)."""


def arrival(message_id: str) -> float:
    """When an entry came onto its stream, seconds since the Unix epoch by Redis's clock: identities begin with it."""
    return int(message_id.split("-")[0]) / 1000


@dataclass(frozen=True)
class Counts:
    """How many ordinals of a run are in each state now; the sum is the number ever issued or pre-filled."""

    issued: int = 0
    rolled: int = 0
    scored: int = 0
    ready: int = 0
    used: int = 0
    dropped: int = 0

    @property
    def running(self) -> int:
        """Groups whose result is not known yet."""
        return self.issued + self.rolled + self.scored

    @property
    def accepted(self) -> int:
        """Groups that were or will be consumed."""
        return self.ready + self.used

    @property
    def total(self) -> int:
        """Ordinals in the ledger."""
        return self.running + self.accepted + self.dropped


class Lag(NamedTuple):
    """Length of one stream."""

    stream: str
    """Key of the stream."""
    waiting: int
    """Entries nobody has taken yet."""
    pending: int
    """Entries that a consumer holds."""


@dataclass(frozen=True)
class DeadLetter:
    """Work that was delivered too often without a result."""

    stream: str
    """Where it lay."""
    run_id: str
    ordinal: int
    reason: str
    """As in the ledger, without `dropped:`."""
    data: bytes
    """The entry's payload."""


@dataclass(frozen=True)
class Announced:
    """What a worker last announced."""

    role: str
    """rollout, reward, reference or trainer."""
    name: str
    """Unique within its role."""
    fields: dict[str, str]
    """Its own words."""


@dataclass(frozen=True)
class Ways:
    """Where groups and weights were, for people."""

    groups: list[trajectory_pb2.Group]
    """Those that were learned from last, the newest first, without texts."""
    carried: list[trajectory_pb2.Passage]
    """How the newest versions were published and loaded, the newest first."""


class QueueError(EarwitnessError):
    """The queue refused."""


class PayloadTooLargeError(QueueError):
    """A task or group does not fit in one entry."""

    def __init__(self, what: str, nbytes: int, limit: int) -> None:
        super().__init__(what, nbytes, limit)
        self.what = what
        self.nbytes = nbytes
        self.limit = limit

    def __str__(self) -> str:
        return f"{self.what} is {self.nbytes} bytes; expected at most {self.limit}"


class StaleRunError(QueueError):
    """The run is not, or no longer, the current one."""

    def __init__(self, run_id: str, current: str) -> None:
        super().__init__(run_id, current)
        self.run_id = run_id
        self.current = current

    def __str__(self) -> str:
        return f"run {self.run_id!r} is not current (current is {self.current or 'none'!r})"


class AlreadyUsedError(QueueError):
    """An ordinal at its end cannot be used: using it would break the promise of exactly one effect."""

    def __init__(self, run_id: str, ordinal: int, state: str) -> None:
        super().__init__(run_id, ordinal, state)
        self.run_id = run_id
        self.ordinal = ordinal
        self.state = state

    def __str__(self) -> str:
        return f"ordinal {self.ordinal} of run {self.run_id!r} cannot be used: its state is {self.state!r}"
