"""What a trace can claim. One dataclass per form of statement; `reward.verify` knows how to check each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_TIMBRE_KIND = {"bright": "brightness", "dull": "brightness", "high": "pitch", "low": "pitch"}
Part = int | None
"""Which sound a statement speaks of: the n-th event from 1, -1 for the last, None for the clip as a whole."""


class Relation(StrEnum):
    """How one part compares with another, or the end with the beginning."""

    MORE = "more"
    LESS = "less"
    SAME = "same"

    @property
    def reverse(self) -> Relation:
        """The relation seen from the other side."""
        return {Relation.MORE: Relation.LESS, Relation.LESS: Relation.MORE}.get(self, self)


class Quantity(StrEnum):
    """What a number or a comparison speaks of, with its unit."""

    PITCH = "pitch"
    """Hz."""
    PITCH_START = "pitch at the start"
    """Hz."""
    PITCH_END = "pitch at the end"
    """Hz."""
    PITCH_LOWEST = "lowest pitch"
    """Hz."""
    PITCH_HIGHEST = "highest pitch"
    """Hz."""
    LEVEL = "level"
    """dBFS."""
    DURATION = "duration"
    """Seconds."""
    CLIP = "length of the clip"
    """Seconds."""
    ONSET = "onset"
    """Seconds."""
    PAUSE = "pause"
    """Seconds of silence between events."""
    GAP = "gap"
    """Seconds from onset to onset."""
    GAP_FIRST = "first gap"
    """Seconds."""
    GAP_LAST = "last gap"
    """Seconds."""
    GAP_SHORTEST = "shortest gap"
    """Seconds."""
    GAP_LONGEST = "longest gap"
    """Seconds."""
    TEMPO = "tempo"
    """Beats (events) a minute."""
    LOUDNESS = "integrated loudness"
    """LUFS, of the clip."""
    CENTROID = "spectral centroid"
    """Hz."""
    SYLLABLES = "speaking rate"
    """Syllables a second, of the clip."""

    @property
    def kind(self) -> str:
        """Family of claims, for reports."""
        return _KIND[self]


_KIND = {
    Quantity.PITCH: "pitch",
    Quantity.PITCH_START: "pitch",
    Quantity.PITCH_END: "pitch",
    Quantity.PITCH_LOWEST: "pitch",
    Quantity.PITCH_HIGHEST: "pitch",
    Quantity.LEVEL: "loudness",
    Quantity.DURATION: "duration",
    Quantity.CLIP: "duration",
    Quantity.ONSET: "timing",
    Quantity.PAUSE: "timing",
    Quantity.GAP: "timing",
    Quantity.GAP_FIRST: "timing",
    Quantity.GAP_LAST: "timing",
    Quantity.GAP_SHORTEST: "timing",
    Quantity.GAP_LONGEST: "timing",
    Quantity.TEMPO: "tempo",
    Quantity.LOUDNESS: "loudness",
    Quantity.CENTROID: "brightness",
    Quantity.SYLLABLES: "speaking rate",
}


@dataclass(frozen=True)
class Count:
    """ "three beeps": so many events."""

    value: int


@dataclass(frozen=True)
class Value:
    """ "near 440 Hz": a number, in the quantity's unit, for a part."""

    quantity: Quantity
    part: Part
    value: float


@dataclass(frozen=True)
class Comparison:
    """ "the second is higher", "about 8 dB louder": `part` against `other` (None: against all others).

    `amount` is how much, if said: semitones for pitch, dB for level, seconds for duration.
    """

    quantity: Quantity
    part: Part
    other: Part
    relation: Relation
    amount: float | None = None


@dataclass(frozen=True)
class Change:
    """ "the pitch rises", "the pulses slow down": a quantity over the course of a part. MORE: rises, louder, faster."""

    quantity: Quantity
    part: Part
    relation: Relation


@dataclass(frozen=True)
class Regular:
    """ "the rhythm is regular": are the gaps even?"""

    even: bool


@dataclass(frozen=True)
class Timbre:
    """ "like a square wave": waveform or harmonic structure of a part.

    `what`: sine, triangle, square, sawtooth, noise; odd (odd partials only), all (all partials), unpitched, pitched;
    bright, dull, high, low on the scales that `reward.tolerances` states.
    """

    what: str
    part: Part


@dataclass(frozen=True)
class Side:
    """ "on the left": where the sound of a stereo clip is.

    `where`: left, right, middle; rightward, leftward (it moves there).
    """

    where: str


@dataclass(frozen=True)
class Not:
    """The opposite of a statement: "does not rise"."""

    statement: Count | Comparison | Change | Regular | Timbre | Side


Statement = Count | Value | Comparison | Change | Regular | Timbre | Side | Not


@dataclass(frozen=True)
class Claim:
    """A statement and the words it was made with."""

    text: str
    """As it stands in the trace."""
    statement: Statement
    uncertain: bool = False
    """True for "might be", "perhaps": said, but not claimed."""

    @property
    def kind(self) -> str:
        """Family for reports: pitch, loudness, count, duration, timing, tempo, regularity, timbre, brightness,
        speaking rate, stereo."""
        statement = self.statement.statement if isinstance(self.statement, Not) else self.statement
        match statement:
            case Count():
                return "count"
            case Regular():
                return "regularity"
            case Timbre(what):
                return _TIMBRE_KIND.get(what, "timbre")
            case Side():
                return "stereo"
            case _:
                return statement.quantity.kind
