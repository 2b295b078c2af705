"""What a trace can claim. One dataclass per form of statement; `reward.families` says what each means."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum


@dataclass(frozen=True)
class Span:
    """A stretch of the clip, in seconds, or with `share` in shares of its length."""

    start: float
    end: float
    share: bool = False

    @property
    def rest(self) -> Span:
        """What it is compared with when nothing else is named: the other end, or what is before or after."""
        if self.share:
            return Span(round(1 - self.end, 6), round(1 - self.start, 6), True)
        return Span(self.end, math.inf) if self.start <= 0 else Span(0.0, self.start)

    def seconds(self, duration: float) -> tuple[float, float]:
        """Its ends in a clip of `duration` seconds."""
        scale = duration if self.share else 1.0
        return self.start * scale, min(self.end * scale, duration)


BEGINNING, ENDING = Span(0.0, 0.3333, True), Span(0.6667, 1.0, True)
Part = int | Span | None
"""Which sound a statement speaks of: the n-th event from 1, -1 for the last, a stretch, None for the whole clip."""


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
    OFFSET = "end"
    """Seconds."""
    PAUSE = "pause"
    """Seconds of silence between events; `part` is the n-th pause."""
    LEAD = "silence at the start"
    """Seconds."""
    TRAIL = "silence at the end"
    """Seconds."""
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
    BANDWIDTH = "bandwidth"
    """Hz: standard deviation of the spectrum around its centroid."""
    PARTIAL = "partial"
    """Hz."""
    HARMONICITY = "harmonics-to-noise ratio"
    """dB."""
    PITCH_RANGE = "pitch range"
    """Semitones."""
    PEAK = "peak level"
    """dBFS, of the clip."""
    PERIOD = "period of the pattern"
    """Seconds from one repetition to the next."""
    SYLLABLES = "speaking rate"
    """Syllables a second, of the clip."""
    DECAY = "reverberation time"
    """Seconds for a fall by 60 dB (RT60); in a comparison MORE is more reverberant."""
    NUMBER = "number of sounds"
    DENSITY = "density of sounds"
    """Sounds a second."""


class Counted(StrEnum):
    """What there is a number of."""

    EVENTS = "event"
    PAUSES = "pause"
    NOTES = "note at once"
    """In one chord."""
    PARTIALS = "partial"
    SYLLABLES = "syllable"
    REPEATS = "repetition"
    """Times that a pattern is heard."""
    GROUP = "event in a group"
    """Events of the pattern that repeats."""


@dataclass(frozen=True)
class Count:
    """ "three beeps", "two pauses", "a chord of three notes": so many; events and notes also of a part."""

    value: int
    of: Counted = Counted.EVENTS
    part: Part = None


@dataclass(frozen=True)
class Value:
    """ "near 440 Hz": a number, in the quantity's unit, for a part."""

    quantity: Quantity
    part: Part
    value: float


@dataclass(frozen=True)
class Bound:
    """ "longer than 2.4 s", "at least three": a quantity lies from `low` to `high`, one of which may be infinite."""

    quantity: Quantity
    part: Part
    low: float
    high: float

    @property
    def opposite(self) -> Bound | None:
        """What "not longer than 2.4 s" says; None of what has two bounds."""
        if math.isfinite(self.low) and math.isfinite(self.high):
            return None
        step = float(self.quantity is Quantity.NUMBER)  # counts are whole: not at least three is at most two
        if math.isfinite(self.low):
            return replace(self, low=-math.inf, high=self.low - step)
        return replace(self, low=self.high + step, high=math.inf)


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
class Alone:
    """A form of statement that one family alone has, and checks."""


@dataclass(frozen=True)
class Regular(Alone):
    """ "the rhythm is regular": are the gaps even?"""

    even: bool


@dataclass(frozen=True)
class Timbre:
    """ "like a square wave": waveform or harmonic structure of a part.

    `what`: sine, triangle, square, sawtooth, noise; odd (odd partials only), all (all partials), rich (in partials),
    unpitched, pitched, chord, silent; bright, dull, high, low, soft, loud, noisy, clean, on the scales that
    their families state; reverberant, dry; short, long.
    """

    what: str
    part: Part


@dataclass(frozen=True)
class Side(Alone):
    """ "on the left": where the sound of a stereo clip is.

    `where`: left, right, middle; rightward, leftward (it moves there).
    """

    where: str
    part: Part = None


@dataclass(frozen=True)
class Pace(Alone):
    """ "fast pulses", "speaks slowly": on the scale of tempo, or of speaking rate for `speech`."""

    fast: bool
    speech: bool
    part: Part = None


@dataclass(frozen=True)
class Repeats(Alone):
    """ "the pattern repeats"."""


@dataclass(frozen=True)
class Turn:
    """ "rises and then falls": a quantity that changes one way and then the other."""

    quantity: Quantity
    part: Part
    first: Relation
    then: Relation


@dataclass(frozen=True)
class Spoken(Alone):
    """ "says 'hello'": these words are spoken."""

    text: str
    part: Part = None


@dataclass(frozen=True)
class Not:
    """The opposite of a statement: "does not rise"."""

    statement: Count | Comparison | Change | Turn | Timbre | Alone


Statement = Count | Value | Bound | Comparison | Change | Turn | Timbre | Alone | Not
