"""What a trace can claim. One dataclass per form of statement; `reward.verify` knows how to check each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Part(StrEnum):
    """Which sound a statement speaks of: all of the clip, or one event by its place."""

    ALL = "all"
    FIRST = "first"
    SECOND = "second"
    THIRD = "third"
    LAST = "last"


class Relation(StrEnum):
    """How one part compares with another, or the end with the beginning."""

    MORE = "more"
    LESS = "less"
    SAME = "same"


class Quantity(StrEnum):
    """What a number or a comparison speaks of."""

    PITCH = "pitch"
    PITCH_START = "pitch at the start"
    PITCH_END = "pitch at the end"
    LEVEL = "level"
    DURATION = "duration"
    CLIP_DURATION = "clip duration"
    GAP = "gap"
    GAP_FIRST = "first gap"
    GAP_LAST = "last gap"
    GAP_SHORTEST = "shortest gap"
    GAP_LONGEST = "longest gap"
    TEMPO = "tempo"
    CENTROID = "brightness"


@dataclass(frozen=True)
class Count:
    """"three beeps": so many events."""

    value: int


@dataclass(frozen=True)
class Value:
    """"near 440 Hz": a number for a quantity of a part."""

    quantity: Quantity
    part: Part
    value: float


@dataclass(frozen=True)
class Comparison:
    """"the second is higher", "about 8 dB louder": one part against another; `amount` in the quantity's unit if said."""

    quantity: Quantity
    part: Part
    other: Part
    relation: Relation
    amount: float | None = None


@dataclass(frozen=True)
class Change:
    """"the pitch rises", "the pulses slow down": a quantity over the course of a part. MORE: rises, louder, faster."""

    quantity: Quantity
    part: Part
    relation: Relation


@dataclass(frozen=True)
class Regular:
    """"the rhythm is regular": are the gaps even?"""

    even: bool


@dataclass(frozen=True)
class Timbre:
    """"like a square wave": waveform or harmonic structure of a part.

    `what` is sine, triangle, square, sawtooth, noise, odd (odd partials only), all (all partials), pitched.
    """

    what: str
    part: Part


@dataclass(frozen=True)
class Not:
    """The opposite of a statement: "does not rise"."""

    statement: Count | Comparison | Change | Regular | Timbre


Statement = Count | Value | Comparison | Change | Regular | Timbre | Not


@dataclass(frozen=True)
class Claim:
    """A statement and the words it was made with."""

    text: str
    """As it stands in the trace."""
    kind: str
    """Family for reports: pitch, loudness, count, duration, tempo, regularity, timbre, noise."""
    statement: Statement
