"""What a family of claims says of itself, and what the families share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reward.families.said import AMOUNTS, SECONDS, Said
from reward.families.stretches import Section, events_in
from reward.measure import Event, Measurement
from reward.statements import Change, Comparison, Count, Counted, Part, Quantity, Relation, Span, Statement, Turn

SEMITONE = 12.0
"""Semitones in an octave."""
BORDER = 0.3
"""Around a step, this share of it on either side is open: there neither "more" nor "the same" can be told."""
BOUND_SECONDS = 0.06
"""A time that parts two stretches ("after 1.2 s") is meant to a tenth of a second."""
DURATION = 0.2
"""Durations: twice Weber's fraction for time (10 %)."""
DURATION_SECONDS = 0.04
"""Least tolerance of a duration, seconds: soft edges leave that open."""
DURATION_STEP = 0.1
"""Weber's fraction for time: lengths closer than this are equal."""
GAP = 0.15
"""Gaps between onsets are heard more exactly than lengths; traces round them to 0.01-0.05 s."""
GAP_SECONDS = 0.025
"""Least tolerance of a gap, seconds: two onsets of 10 ms error, and rounding."""

DOMINANT = 0.67
"""A sound with so much of the energy of a clip is what is meant unless another is named."""

_DIGITS = {"Hz": 0, "semitones": 1, "dB": 0, "BPM": 0, "dBFS": 1, "LUFS": 1, "syllables/s": 1}
"""Decimals of a value, which its error allows, by unit; two of all others."""

Words = tuple[str, str, str]
"""For MORE, LESS and SAME."""


@dataclass(frozen=True)
class Finding:
    """Whether a statement holds (None: cannot be told on this clip) and what was measured, in words."""

    holds: bool | None
    measured: str
    matched: float | None = None
    """The measured value that a claimed one was compared with."""
    chance: float | None = None
    """Share of blind guesses that this clip would have supported; None: that of the statement's alternatives."""


@dataclass(frozen=True)
class Scene:
    """Where a number is looked for: the events of a part, in a clip."""

    part: Part
    events: list[Event]
    measurement: Measurement


@dataclass(frozen=True)
class Portion:
    """What a quantity is in a piece of what sounds: one event, one pause."""

    values: Sequence[float]
    """In its unit, each for as much of the piece as the others."""
    weight: float
    """How much of the whole it is: seconds."""
    at_once: bool = False
    """Whether all values are there all the time: the notes of a chord."""


@dataclass(frozen=True)
class Number:
    """A quantity of which traces state values."""

    found: Callable[[Scene], list[float] | None]
    """What a value may stand for, in its unit; [] if the clip has none (pitch of noise), None if it cannot be told."""
    tolerance: Callable[[float], float]
    """How far the measured value may be from the claimed one, in its unit."""
    unit: str = "s"
    none: str = "none"
    """Said where the clip has none."""
    of_stretch: Callable[[Section], float | None] | None = None
    """Its value in a stretch as a whole, beside those of the events in it."""
    of_events: bool = True
    """Whether its parts are events; those of pauses are not."""
    refuted: Callable[[float, float, Measurement], bool] | None = None
    """(nearest measured or NaN, claimed, all measured) -> whether a value that does not fit is contradicted; always."""
    pieces: Callable[[Scene], list[Portion]] | None = None
    """Of what has no part or is a stretch: it holds if it does for most of the pieces. None: `found` alone decides."""
    perhaps: Callable[[Scene], list[float]] | None = None
    """Further values that may be meant without being named: near them it is neither supported nor contradicted."""
    said: Said | None = SECONDS
    """None: any time of the clip."""
    axis: str = ""
    """Panel of the picture that draws it: pitch, level, or none."""

    def show(self, value: float) -> str:
        """A value with its unit."""
        return f"{value:.{_DIGITS.get(self.unit, 2)}f} {self.unit}"


@dataclass(frozen=True)
class Compared:
    """A quantity in which parts are compared."""

    words: Words
    measure: Callable[[Event], float | None] | None = None
    """On a scale whose equal steps are heard as equal; None: such comparisons are read, and not checked."""
    step: float = 0.0
    """Least difference that counts."""
    unit: str = ""
    shown: float = 1.0
    """Factor from the scale to the unit shown."""
    none: str = "silence"
    """Said where a part has none."""
    of_stretch: Callable[[Section], float | None] | None = None
    amount_unit: str = ""
    amount_tolerance: float = math.inf
    """How far "8 dB louder" may be off, on the scale."""
    amount_said: Said = AMOUNTS
    """Amounts that models say."""
    check: Callable[[Comparison, Measurement], Finding] | None = None
    """Checks all comparisons of it, where parts are not events."""
    of_clips: Callable[[Comparison, Measurement, Measurement], Finding] | None = None
    """Checks it of two recordings, where `of_stretch` of each as a whole does not tell."""


@dataclass(frozen=True)
class Moves:
    """A quantity that changes over the course of a part."""

    words: Words
    check: Callable[[Change, Measurement], Finding]
    turn: Callable[[Turn, Measurement], Finding] | None = None
    """Checks one way and then the other; None: it cannot be told."""


@dataclass(frozen=True)
class Quality:
    """A word for how something sounds, "bright", "like a square wave"."""

    words: str
    check: Callable[[Event], tuple[bool | None, str]] | None = None
    """Whether an event is so (None: cannot be told), and what was measured; no function: there is no scale for it."""
    of_pitched: bool = False
    """Only of events with a pitch, if there are any: the consonants of a high voice have none."""
    of_part: Callable[[Part, Measurement], Finding] | None = None
    """Checks a part as a whole, in place of each of its events."""
    others: tuple[str, ...] = ()
    """What else may be said in its place: "dull" for "bright". None: it may be denied."""


@dataclass(frozen=True)
class Counts:
    """Something of which there is a number."""

    words: tuple[str, str]
    """One of them, several."""
    check: Callable[[Count, Measurement], Finding]


@dataclass(frozen=True)
class Own:
    """A form of statement that only this family has."""

    is_mine: Callable[[Statement], bool]
    check: Callable[[Any, Measurement], Finding]
    describe: Callable[[Any], str]
    """Without the part."""
    excludes: bool = False
    """Whether two different ones cannot both hold."""
    others: Callable[[Any], Sequence[Statement]] = lambda statement: ()
    """What else may be said in its place. None: it may be denied."""


@dataclass(frozen=True)
class Family:
    """What is claimed of one side of sound, and how it is checked against a measurement."""

    name: str
    """For reports."""
    numbers: Mapping[Quantity, Number] = field(default_factory=dict)
    compared: Mapping[Quantity, Compared] = field(default_factory=dict)
    moves: Mapping[Quantity, Moves] = field(default_factory=dict)
    qualities: Mapping[str, Quality] = field(default_factory=dict)
    counts: Mapping[Counted, Counts] = field(default_factory=dict)
    own: Own | None = None
    tonal: bool = False
    """Whether it goes by the F0 of events: nothing is told of those whose F0 is not sure."""


def parts(measurement: Measurement, part: Part) -> list[Event]:
    """The events a part stands for: all of them for None, none if there are not so many."""
    events = list(measurement.events)
    if part is None:
        return events
    if isinstance(part, Span):
        return events_in(measurement, part)
    if part == -1:
        return events[-1:]
    return events[part - 1 : part]


def pieces_of(each: Callable[[Event], Sequence[float]]) -> Callable[[Scene], list[Portion]]:
    """The pieces of a quantity that every event has as a whole."""

    def found(scene: Scene) -> list[Portion]:
        return [Portion(each(e), w) for e, w in zip(scene.events, weights_of(scene.events), strict=True)]

    return found


def weights_of(events: list[Event]) -> list[float]:
    """How much of what sounds each of `events` is: by its length, unless one has most of the energy."""
    energies = [event.duration * 10 ** (event.level / 10) for event in events]
    if energies and max(energies) >= DOMINANT * sum(energies):
        return energies
    return [event.duration for event in events]


def no_such_part(measurement: Measurement) -> Finding:
    """The finding on a sound that there is not."""
    return Finding(False, events_in_words(len(measurement.events)) if measurement.events else "silence")


def events_in_words(count: int) -> str:
    """ "3 events"."""
    return f"{count} event{'' if count == 1 else 's'}"


def holds_of(relation: Relation, difference: float, step: float) -> bool | None:
    """Whether `relation` is right of a difference, given the least one that counts; None if it is near that."""
    way = Relation.MORE if difference > 0 else Relation.LESS
    if abs(abs(difference) / step - 1) < BORDER:
        return None if relation in (Relation.SAME, way) else False
    return relation is (way if abs(difference) > step else Relation.SAME)


def on_scale(value: float, scale: tuple[float, float], upper: bool) -> bool | None:
    """Whether `value` is at the upper (or lower) end of `scale`; None between its two marks."""
    if scale[0] < value < scale[1]:
        return None
    return (value >= scale[1]) == upper


def present(values: list[float | None]) -> list[float]:
    """Those that are not None."""
    return [value for value in values if value is not None]


def octaves(hertz: float | None) -> float | None:
    """A frequency on the scale of pitch; None for none."""
    return math.log2(hertz) if hertz else None


def share_of(part: float) -> Callable[[float], float]:
    """A tolerance that is a share of the claimed value."""
    return lambda claimed: part * claimed


def constant(width: float) -> Callable[[float], float]:
    """A tolerance that is the same for every value."""
    return lambda claimed: width


def of_time(claimed: float) -> float:
    """Tolerance of a duration, seconds."""
    return max(DURATION * claimed, DURATION_SECONDS)


def of_gap(claimed: float) -> float:
    """Tolerance of a time from onset to onset, seconds."""
    return max(GAP * claimed, GAP_SECONDS)
