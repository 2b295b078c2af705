"""What a word or phrase can mean for a claim about sound."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from reward.statements import Counted, Quantity, Relation, Span


class Edge(StrEnum):
    """Which end of a change or a range a number stands for."""

    START = "start"
    END = "end"
    LOW = "low"
    HIGH = "high"


@dataclass(frozen=True)
class Ordinal:
    """ "second": the n-th event, -1 the last."""

    part: int


@dataclass(frozen=True)
class Spot:
    """ "at the end", "the first half": a stretch of the clip."""

    span: Span


@dataclass(frozen=True)
class Counts:
    """A noun for something that can be counted beside events; `number` where the noun says how many ("triad")."""

    of: Counted
    number: int | None = None


@dataclass(frozen=True)
class PaceWord:
    """ "fast", "slow"."""

    fast: bool


@dataclass(frozen=True)
class Recurs:
    """ "repeats", "is heard"."""

    alone: bool
    """True if it claims a repetition also without saying how often."""


@dataclass(frozen=True)
class Topic:
    """A noun or verb that says which quantity is spoken of."""

    quantity: Quantity


@dataclass(frozen=True)
class EdgeWord:
    """ "starts", "ends", "between"."""

    edge: Edge


@dataclass(frozen=True)
class Moves:
    """ "rises": a change; quantity None means that of the topic."""

    quantity: Quantity | None
    relation: Relation


@dataclass(frozen=True)
class Limit:
    """ "above", "at least"."""

    above: bool
    strict: bool
    near: bool = False
    """ "just over": a number, not a bound."""


@dataclass(frozen=True)
class Compares:
    """ "louder", "loudest"."""

    quantity: Quantity
    relation: Relation
    superlative: bool = False


@dataclass(frozen=True)
class Sounds:
    """ "sawtooth", "only odd harmonics"."""

    what: str


@dataclass(frozen=True)
class Attributive:
    """ "low", "short": a quality only of a sound that is named after it ("a low, humming note")."""

    what: str


@dataclass(frozen=True)
class Place:
    """ "on the left", "from left to right"."""

    where: str


@dataclass(frozen=True)
class Evenness:
    """ "regular". With `timing_only` it means timing only where gaps or pulses are spoken of ("even", "uniform")."""

    even: bool
    timing_only: bool
    quantity: Quantity | None = None
    """What is even or not, where the word says it ("wobbles"); else what is spoken of."""


class Word(StrEnum):
    """Words with a role of their own."""

    EVENT = "event"
    """A noun for one sound."""
    PULSES = "pulses"
    """A noun for sounds in a train; also an event."""
    NEGATION = "negation"
    UNCERTAIN = "uncertain"
    TAKEN_BACK = "taken back"
    """What the sentence said before it does not stand: "no, wait"."""
    BECOMES = "becomes"
    """Makes a comparative a change: "gets louder"."""
    CLAUSE = "clause"
    """A new clause begins."""
    OR = "or"
    THAN = "than"
    UNEQUAL = "unequal"
    """An inequality before a number: "above"."""
    SINGLE = "single"
    MORE = "more"
    FEWER = "fewer"
    """Of sounds that are named after it."""
    MANY = "many"
    """More than one, however many."""
    SPEECH = "speech"
    """Somebody speaks: a pace is one of syllables."""
    TOGETHER = "together"
    """Notes of a chord, not one after another."""
    FILLER = "filler"
    """A phrase whose words mean nothing together: "in the end"."""


Meaning = (
    Ordinal
    | Spot
    | Counts
    | PaceWord
    | Recurs
    | Topic
    | EdgeWord
    | Moves
    | Compares
    | Limit
    | Sounds
    | Attributive
    | Place
    | Evenness
    | Word
)
