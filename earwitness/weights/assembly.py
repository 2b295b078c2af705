"""How a version comes to be out of the parts of one or several ranks: orders to all, and their answers. Pure.

The publisher asks an `Assembly` what is next and gives the order; every rank's `WeightPart` carries it out and answers;
until an order ends the attempt. Who drives it, and over what it is told, is no matter here.

    DELTA ── all have one ──▶ (commit) ──▶ KEEP or LEAVE
      │  └── an anchor is due ──▶ WHOLE ──▶ (commit)
      └───── too much for one ──▶ INSTEAD ──▶ (commit)         a part that failed, at any point: LEAVE
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from earwitness.weights.manifest import nbytes
from earwitness.wire.weights.v1.weights_pb2 import Manifest

DELTA_SHARE = 1 / 3
"""Of the model's bytes, for the deltas since the last anchor together: bounds what a joining worker fetches and what
the shards hold, and a single delta of that size saves too little."""


class Verb(Enum):
    """What a rank is to do."""

    DELTA = "delta"
    """Write what changed in your part."""
    WHOLE = "whole"
    """Write your part whole, beside its delta if there is one."""
    INSTEAD = "instead"
    """Delete your delta, which was too much for another part or for yours, and write your part whole."""
    COMMIT = "commit"
    """The publisher's alone: all parts are there."""
    KEEP = "keep"
    """It is the version now: the next delta is on these bits."""
    LEAVE = "leave"
    """It is not: the bits before stay those that the next is compared with."""
    THERE = "there"
    """It was there already, and nothing was written."""

    @property
    def writes(self) -> bool:
        """Whether ranks write a part, and answer."""
        return self in (Verb.DELTA, Verb.WHOLE, Verb.INSTEAD)


@dataclass(frozen=True)
class Order:
    """What every rank does next."""

    verb: Verb
    problem: str = ""
    """Why it is left, for people."""
    manifest: Manifest | None = None
    """What is stored under the version's name, at the end. Only where the publisher is."""

    def encode(self) -> bytes:
        """As other ranks are told it."""
        return f"{self.verb.value} {self.problem}".encode()

    @classmethod
    def decode(cls, content: bytes) -> Order:
        """From `encode`."""
        verb, _, problem = content.decode().partition(" ")
        return cls(Verb(verb), problem)


@dataclass(frozen=True)
class Answer:
    """Of one rank, to an order to write."""

    table: Manifest | None = None
    """Of what was written; None: too much for a delta, or it failed."""
    problem: str = ""
    """Why it failed, for people; empty if it did not."""

    def encode(self) -> bytes:
        """As the publisher is told it."""
        if self.table is not None:
            return b"table " + self.table.SerializeToString()
        return f"problem {self.problem}".encode()

    @classmethod
    def decode(cls, content: bytes) -> Answer:
        """From `encode`."""
        kind, _, rest = content.partition(b" ")
        return cls(table=Manifest.FromString(rest)) if kind == b"table" else cls(problem=rest.decode())


class Assembly:
    """One attempt at one version. Owns no connection, no clock and no bytes."""

    def __init__(self, on: int | None, chain: Sequence[Manifest], anchor_every: int) -> None:
        """`on`: the version that a delta would build upon, which is the last of `chain`; None if nothing can be built
        upon. `chain`: from the newest anchor on; after `anchor_every` versions the next one is due."""
        self._chain = chain
        self._anchor_every = anchor_every
        self.on = on
        self.verb = Verb.WHOLE if on is None else Verb.DELTA
        """The order that is due."""
        self.problem = ""
        self.deltas: list[Manifest] | None = None
        """The parts' tables, if there is a delta."""
        self.whole: list[Manifest] | None = None
        """The parts' tables, if there are whole tensors."""

    def answered(self, answers: Sequence[Answer]) -> None:
        """All parts', in their order, to the order that was due."""
        if not self.verb.writes:
            raise ValueError(f"nothing is to be answered to {self.verb.value}")
        tables = [answer.table for answer in answers if answer.table is not None]
        complete = len(tables) == len(answers)
        if problem := next((answer.problem for answer in answers if answer.problem), ""):
            self.verb, self.problem = Verb.LEAVE, problem
        elif self.verb is not Verb.DELTA:
            if not complete:
                raise ValueError("whole tensors are never too much")
            self.verb, self.whole = Verb.COMMIT, tables
        elif not complete:
            self.verb = Verb.INSTEAD
        else:
            self.verb = Verb.WHOLE if self._is_anchor_due(tables) else Verb.COMMIT
            self.deltas = tables

    def _is_anchor_due(self, deltas: Sequence[Manifest]) -> bool:
        if len(self._chain) >= self._anchor_every:
            return True
        return sum(map(nbytes, [*self._chain[1:], *deltas])) > DELTA_SHARE * nbytes(self._chain[0])
