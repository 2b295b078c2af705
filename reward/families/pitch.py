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
    Portion,
    Quality,
    Scene,
    constant,
    holds_of,
    on_scale,
    present,
    share_of,
    weights_of,
)
from reward.families.course import Course
from reward.families.said import Said
from reward.families.stretches import is_voice, within
from reward.measure import Event
from reward.statements import Quantity, Relation, Span

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
HERTZ = Said(80.0, 1_000.0, usual=(220.0, 1.1))
"""Pitches that models say."""
PLACES = np.linspace(0.05, 0.95, 10)
"""Shares of a sound at which its F0 stands for a tenth of it."""

VOICE_PLACES = np.linspace(0.25, 0.75, 21)
"""Of speech: half the time it is lower or higher, in stresses and at the ends of phrases."""


def pitches(event: Event) -> list[float]:
    """The pitch of a level tone; of a glide also those of its ends, because "near 300 Hz" may mean either; of a chord
    every note."""
    if event.notes and not event.rings:
        return list(event.notes)
    ends = present(list(_ends(event)))
    glides = bool(ends) and max(ends) / min(ends) > 2 ** (GLIDE_STEP_SEMITONES / SEMITONE)
    return present([event.pitch]) + (ends if glides else [])


def _pieces(scene: Scene) -> list[Portion]:
    """The course of F0 in each event, and the notes of chords; of speech that of the whole."""
    start, end = scene.part.seconds(scene.measurement.duration) if isinstance(scene.part, Span) else (0.0, math.inf)
    if scene.part is None and is_voice(scene.measurement):
        frames = within(scene.measurement.pitch, scene.events, start, end)
        return [Portion(np.quantile(frames, VOICE_PLACES).tolist(), 1.0)] if len(frames) else []
    found = []
    for event, weight in zip(scene.events, weights_of(scene.events), strict=True):
        if event.rings and event.pitch is not None:
            found.append(Portion([event.pitch], weight))
        elif event.notes:
            found.append(Portion(event.notes, weight, at_once=True))
        elif event.pitch is not None:
            frames = within(scene.measurement.pitch, [event], start, end)
            found.append(Portion(np.quantile(frames, PLACES).tolist() if len(frames) else [event.pitch], weight))
    return found


def _perhaps(scene: Scene) -> list[float]:
    """The ends of glides, and whatever stands out from a spectrum that is not that of one tone."""
    if scene.part is None and is_voice(scene.measurement):
        return []
    ends = [p for event in scene.events for p in present(list(_ends(event)))]
    peaks = [(peak, event.notes) for event in scene.events if not event.one_tone for peak in event.peaks]
    # Of a chord or a deep note without a pitch the fundamentals may be too faint to stand out.
    under = [peak / k for e in scene.events if e.pitch is None and e.held >= 2 for peak in e.peaks for k in (2, 3)]
    return ends + under + [peak for peak, notes in peaks if not any(_overtone(peak, note) for note in notes)]


def _overtone(hertz: float, note: float) -> bool:
    multiple = round(hertz / note)
    return multiple >= 2 and abs(hertz / note / multiple - 1) < PITCH / 4


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

    return Number(found, share_of(PITCH), "Hz", NONE, axis="pitch", said=HERTZ)


def _range(scene: Scene) -> list[float]:
    extremes = _extremes(scene)
    return [SEMITONE * math.log2(extremes[1] / extremes[0])] if extremes else []


def _semitones(hertz: float | None) -> float | None:
    return None if hertz is None else SEMITONE * math.log2(hertz)


def _judge(relation: Relation, low: float, high: float) -> Finding:
    step = SEMITONE * math.log2(high / low)
    return Finding(holds_of(relation, step, GLIDE_STEP_SEMITONES), f"{low:.0f} to {high:.0f} Hz")


def _on_scale(upper: bool) -> Quality:
    def check(event: Event) -> tuple[bool | None, str]:
        if event.pitch is None:
            return False, NONE
        return on_scale(event.pitch, HIGH_HZ, upper), f"{event.pitch:.0f} Hz"

    return Quality(
        "high-pitched" if upper else "low-pitched", check, of_pitched=True, others=("low" if upper else "high",)
    )


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
    tonal=True,
    numbers={
        Quantity.PITCH: Number(
            lambda scene: [pitch for event in scene.events for pitch in pitches(event)],
            share_of(PITCH), "Hz", NONE, of_stretch=lambda stretch: stretch.pitch, axis="pitch", said=HERTZ,
            pieces=_pieces, perhaps=_perhaps,
        ),
        Quantity.PITCH_START: Number(
            lambda scene: present([e.pitch_start for e in scene.events[:1]]), share_of(PITCH), "Hz", NONE, axis="pitch",
            said=HERTZ,
        ),
        Quantity.PITCH_END: Number(
            lambda scene: present([e.pitch_end for e in scene.events[-1:]]), share_of(PITCH), "Hz", NONE, axis="pitch",
            said=HERTZ,
        ),
        Quantity.PITCH_LOWEST: _extreme(0),
        Quantity.PITCH_HIGHEST: _extreme(1),
        Quantity.PITCH_RANGE: Number(
            _range, constant(RANGE_SEMITONES), "semitones", NONE, said=Said(1.0, 24.0, by_ratio=False, usual=(9.0, 7.0))
        ),
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
