"""Pitch: F0 in hertz, high and low, higher and lower, rising and falling."""

from __future__ import annotations

import math

import numpy as np

from reward.families.base import (
    SEMITONE,
    Compared,
    Family,
    Finding,
    Moves,
    Number,
    Quality,
    Scene,
    constant,
    holding,
    on_scale,
    present,
    share_of,
)
from reward.families.course import Course
from reward.families.stretches import within
from reward.measure import Event
from reward.statements import Quantity, Relation

PITCH = 0.06
"""A semitone: whoever says "about 440 Hz" names the right note. Trained ears do better, the measurement too (2 %)."""
PITCH_STEP_SEMITONES = 0.5
"""Two tones closer than this count as equal: untrained ears tell 0.3 %, but 2 % is the error of the measurement."""
GLIDE_STEP_SEMITONES = 1.0
"""A tone whose ends lie closer than this is level: slow glides below a semitone are heard as steady."""
RANGE_SEMITONES = 1.5
"""Pitch range: a semitone at one end, half of one at the other."""
HIGH_HZ = (250.0, 500.0)
"""Scale of pitch: low up to the first (B3), high from the second on (B4, above most speech), in between neither."""
NONE = "no pitch"


def pitches(event: Event) -> list[float]:
    """The pitch of a level tone; of a glide also those of its ends, because "near 300 Hz" may mean either; of a chord
    every note."""
    if event.notes:
        return list(event.notes)
    ends = present(list(_ends(event)))
    glides = bool(ends) and max(ends) / min(ends) > 2 ** (GLIDE_STEP_SEMITONES / SEMITONE)
    return present([event.pitch]) + (ends if glides else [])


def _ends(event: Event) -> tuple[float | None, float | None]:
    return event.pitch_start, event.pitch_end


def _extremes(scene: Scene) -> tuple[float, float] | None:
    """Lowest and highest F0, Hz: of the ends of every event, and of the contour without its outermost frames."""
    ends = [p for e in scene.events for p in (*present(list(_ends(e))), *e.notes)]
    if not ends:
        return None
    pitched = [e for e in scene.events if e.pitch is not None and not e.notes]
    frames = within(scene.measurement.pitch, pitched, 0.0, scene.measurement.duration)
    inner = [float(np.percentile(frames, q)) for q in (5, 95)] if len(frames) >= 20 else []
    return min(*ends, *inner), max(*ends, *inner)


def _extreme(place: int) -> Number:
    def found(scene: Scene) -> list[float]:
        extremes = _extremes(scene)
        return [extremes[place]] if extremes else []

    return Number(found, share_of(PITCH), "Hz", NONE, axis="pitch")


def _range(scene: Scene) -> list[float]:
    extremes = _extremes(scene)
    return [SEMITONE * math.log2(extremes[1] / extremes[0])] if extremes else []


def _semitones(hertz: float | None) -> float | None:
    return None if hertz is None else SEMITONE * math.log2(hertz)


def _judge(relation: Relation, low: float, high: float) -> Finding:
    step = SEMITONE * math.log2(high / low)
    return Finding(relation in holding(step, GLIDE_STEP_SEMITONES), f"{low:.0f} to {high:.0f} Hz")


def _on_scale(upper: bool) -> Quality:
    def check(event: Event) -> tuple[bool | None, str]:
        if event.pitch is None:
            return False, NONE
        return on_scale(event.pitch, HIGH_HZ, upper), f"{event.pitch:.0f} Hz"

    return Quality("high-pitched" if upper else "low-pitched", check, of_pitched=True)


_COURSE = Course(
    level=False,
    ends=_ends,
    whole=lambda event: event.pitch,
    judge=_judge,
    step=GLIDE_STEP_SEMITONES / SEMITONE,
    none=NONE,
    show=lambda octave: f"{2**octave:.0f} Hz",
)

FAMILY = Family(
    "pitch",
    numbers={
        Quantity.PITCH: Number(
            lambda scene: [pitch for event in scene.events for pitch in pitches(event)],
            share_of(PITCH), "Hz", NONE, of_stretch=lambda stretch: stretch.pitch, axis="pitch",
        ),
        Quantity.PITCH_START: Number(
            lambda scene: present([e.pitch_start for e in scene.events[:1]]), share_of(PITCH), "Hz", NONE, axis="pitch"
        ),
        Quantity.PITCH_END: Number(
            lambda scene: present([e.pitch_end for e in scene.events[-1:]]), share_of(PITCH), "Hz", NONE, axis="pitch"
        ),
        Quantity.PITCH_LOWEST: _extreme(0),
        Quantity.PITCH_HIGHEST: _extreme(1),
        Quantity.PITCH_RANGE: Number(_range, constant(RANGE_SEMITONES), "semitones", NONE),
    },
    compared={
        Quantity.PITCH: Compared(
            ("higher", "lower", "as high"),
            lambda event: _semitones(event.pitch), PITCH_STEP_SEMITONES, "semitones", none=NONE,
            of_stretch=lambda stretch: _semitones(stretch.pitch), amount_unit="semitones", amount_tolerance=1.0,
        )
    },
    moves={
        Quantity.PITCH: Moves(("pitch rises", "pitch falls", "pitch stays level"), _COURSE.change, _COURSE.turn)
    },
    qualities={"high": _on_scale(True), "low": _on_scale(False)},
)  # fmt: skip
