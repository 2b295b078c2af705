"""Comparisons of one part with another."""

from __future__ import annotations

import math
from collections.abc import Callable

from reward import tolerances as t
from reward.checks.finding import Finding, holding, no_such_part, parts
from reward.checks.sections import Section, section
from reward.claims.facts import Comparison, Quantity, Relation, Span
from reward.measure import Event, Measurement


def check_comparison(claim: Comparison, measurement: Measurement) -> Finding:
    """Checks a comparison of two events, of one with all others, or of two stretches."""
    if claim.quantity not in _COMPARED:
        return Finding(None, f"{claim.quantity} is not compared")
    if isinstance(claim.part, Span):
        return _check_stretches(claim, claim.part, measurement)
    if claim.quantity is Quantity.PAUSE:
        return _check_pauses(claim, measurement)
    subject = parts(measurement, claim.part)
    others = parts(measurement, claim.other)
    if claim.other is None:
        others = [event for event in others if event not in subject]
    if not subject or not others:
        return no_such_part(measurement)
    measure, _, _ = _COMPARED[claim.quantity]
    return _compare(claim, measure(subject[0]), [measure(event) for event in others])


def _check_stretches(claim: Comparison, span: Span, measurement: Measurement) -> Finding:
    other = claim.other if isinstance(claim.other, Span) else span.rest
    measure = _OF_STRETCHES.get(claim.quantity)
    if measure is None:
        return Finding(None, "not compared between stretches")
    here, there = section(measurement, span), section(measurement, other)
    if here.level is None or there.level is None:
        if claim.quantity is Quantity.LEVEL and (here.level is None) != (there.level is None):
            louder = Relation.LESS if here.level is None else Relation.MORE
            return Finding(claim.relation is louder, "silence in one of the two")
        return Finding(False, "silence")
    return _compare(claim, measure(here), [measure(there)])


def _check_pauses(claim: Comparison, measurement: Measurement) -> Finding:
    pauses = [math.log(pause) for pause in measurement.pauses if pause >= t.PAUSE_SECONDS[0]]
    places = [len(pauses) if part == -1 else part for part in (claim.part, claim.other) if isinstance(part, int)]
    if not places or max(places) > len(pauses) or len(pauses) < 2:
        return Finding(False, f"{len(pauses)} pauses")
    here = pauses[places[0] - 1]
    others = [pauses[places[1] - 1]] if len(places) > 1 else pauses[: places[0] - 1] + pauses[places[0] :]
    return _compare(claim, here, list(others))


def _compare(claim: Comparison, here: float | None, there: list[float | None]) -> Finding:
    _, step, unit = _COMPARED[claim.quantity]
    if here is None or None in there:
        return Finding(False, "no pitch" if claim.quantity is Quantity.PITCH else "silence")
    differences = [here - value for value in there if value is not None]
    holds = all(claim.relation in holding(difference, step) for difference in differences)
    if claim.amount is not None and claim.relation is not Relation.SAME:
        holds = holds and abs(abs(differences[0]) - abs(claim.amount)) <= _amount_tolerance(claim)
    words = ", ".join(f"{difference * _SHOWN.get(claim.quantity, 1.0):+.3g} {unit}" for difference in differences[:6])
    return Finding(holds, words)


def _amount_tolerance(claim: Comparison) -> float:
    if claim.quantity is Quantity.LEVEL:
        return t.LEVEL_DIFFERENCE_DB
    if claim.quantity is Quantity.PITCH:
        return 1.0
    return math.inf


def _octaves(hertz: float) -> float | None:
    return math.log2(hertz) if hertz > 0 else None


def _semitones(event: Event) -> float | None:
    return _in_semitones(event.pitch)


def _in_semitones(hertz: float | None) -> float | None:
    return None if hertz is None else t.SEMITONE * math.log2(hertz)


def _section_octaves(stretch: Section) -> float | None:
    return None if stretch.centroid is None else _octaves(stretch.centroid)


_COMPARED: dict[Quantity, tuple[Callable[[Event], float | None], float, str]] = {
    Quantity.PITCH: (_semitones, t.PITCH_STEP_SEMITONES, "semitones"),
    Quantity.LEVEL: (lambda event: event.level, t.LEVEL_STEP_DB, "dB"),
    Quantity.CENTROID: (lambda event: _octaves(event.centroid), t.CENTROID_STEP_OCTAVES, "octaves"),
    # Weber's fraction: lengths are compared by their ratio.
    Quantity.DURATION: (lambda event: math.log(event.duration), math.log1p(t.DURATION_STEP), "%"),
    Quantity.PAUSE: (lambda event: None, math.log1p(t.DURATION_STEP), "%"),  # of pauses, not of events
}
"""Measure, least step that counts, and unit."""
_SHOWN = {Quantity.DURATION: 100.0, Quantity.PAUSE: 100.0}
"""Factor from the compared measure to the unit shown, where it is not 1."""
_OF_STRETCHES: dict[Quantity, Callable[[Section], float | None]] = {
    Quantity.PITCH: lambda stretch: _in_semitones(stretch.pitch),
    Quantity.LEVEL: lambda stretch: stretch.level,
    Quantity.CENTROID: _section_octaves,
}
"""The same of stretches."""
