"""Pauses, and silence of the clip or of a stretch of it."""

from __future__ import annotations

import math

from reward.families.base import (
    BOUND_SECONDS,
    DURATION_STEP,
    Compared,
    Counts,
    Family,
    Finding,
    Number,
    Portion,
    Quality,
    Scene,
    events_in_words,
    of_time,
)
from reward.families.comparing import compare
from reward.measure import Measurement
from reward.statements import Comparison, Count, Counted, Part, Quantity, Span

PAUSE_SECONDS = (0.1, 0.25)
"""Silence from the second on is a pause, below the first none: stops within speech last up to 0.1 s, and phoneticians
count pauses from 0.2 to 0.25 s on."""


def _lengths(scene: Scene) -> list[float]:
    pauses = [pause for pause in scene.measurement.pauses if pause >= PAUSE_SECONDS[0]]
    if isinstance(scene.part, int):
        return pauses[-1:] if scene.part == -1 else pauses[scene.part - 1 : scene.part]
    return pauses


def _lead(scene: Scene) -> list[float]:
    events = scene.measurement.events
    return [events[0].start if events else scene.measurement.duration]


def _trail(scene: Scene) -> list[float]:
    events, duration = scene.measurement.events, scene.measurement.duration
    return [duration - events[-1].end if events else duration]


def _compare(claim: Comparison, measurement: Measurement) -> Finding:
    pauses = [math.log(pause) for pause in measurement.pauses if pause >= PAUSE_SECONDS[0]]
    places = [len(pauses) if part == -1 else part for part in (claim.part, claim.other) if isinstance(part, int)]
    if not places or max(places) > len(pauses) or len(pauses) < 2:
        return Finding(False, f"{len(pauses)} pauses")
    here = pauses[places[0] - 1]
    others = [pauses[places[1] - 1]] if len(places) > 1 else pauses[: places[0] - 1] + pauses[places[0] :]
    return compare(claim, COMPARED, here, list(others))


def _count(claim: Count, measurement: Measurement) -> Finding:
    sure = sum(pause >= PAUSE_SECONDS[1] for pause in measurement.pauses)
    most = sum(pause >= PAUSE_SECONDS[0] for pause in measurement.pauses)
    words = f"{sure} pauses" if sure == most else f"{sure} to {most} pauses"
    if sure < most and sure <= claim.value <= most:
        return Finding(None, words)
    return Finding(claim.value == sure, words)


def _silent(part: Part, measurement: Measurement) -> Finding:
    """Checks that nothing sounds in `part`, a stretch or else the clip; its bounds may be a little off."""
    span = part if isinstance(part, Span) else Span(0.0, 1.0, share=True)
    start, end = span.seconds(measurement.duration)
    if isinstance(part, Span):
        start, end = start + BOUND_SECONDS, end - BOUND_SECONDS
    heard = [e for e in measurement.events if e.start < end and e.end > start]
    return Finding(not heard, events_in_words(len(heard)) if heard else "silence")


COMPARED = Compared(
    ("longer", "shorter", "as long"), step=math.log1p(DURATION_STEP), unit="%", shown=100.0, check=_compare
)

FAMILY = Family(
    "pauses",
    numbers={
        Quantity.PAUSE: Number(
            _lengths, of_time, of_events=False, pieces=lambda scene: [Portion([p], p) for p in _lengths(scene)]
        ),
        Quantity.LEAD: Number(_lead, of_time),
        Quantity.TRAIL: Number(_trail, of_time),
    },
    compared={Quantity.PAUSE: COMPARED},
    qualities={"silent": Quality("silence", of_part=_silent)},
    counts={Counted.PAUSES: Counts(("pause", "pauses"), _count)},
)
