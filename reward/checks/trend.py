"""Changes over the course of a part: one way, or one way and then the other."""

from __future__ import annotations

import math

import numpy as np

from reward import tolerances as t
from reward.checks.finding import Finding, holding, no_such_part, parts
from reward.checks.sections import course, ends_of, within
from reward.claims.facts import Change, Quantity, Relation, Span, Turn
from reward.measure import Event, Measurement


def check_change(claim: Change, measurement: Measurement) -> Finding:
    """Checks a change of pitch, level, brightness or tempo."""
    if claim.quantity is Quantity.TEMPO:
        return _check_tempo(claim.relation, measurement)
    events = parts(measurement, claim.part)
    if not events:
        return no_such_part(measurement)
    if claim.quantity is Quantity.CENTROID:
        return _check_brightness(claim, events, measurement)
    if isinstance(claim.part, Span) and len(events) == 1:
        return _check_inside(claim, claim.part, events, measurement)
    first, last = events[0], events[-1]
    if claim.quantity is Quantity.LEVEL:
        begin, end = (first.level_start, last.level_end) if first is last else (first.level, last.level)
        return _of_level(claim.relation, begin, end)
    low, high = (first.pitch_start, first.pitch_end) if first is last else (first.pitch, last.pitch)
    if low is None or high is None:
        return Finding(False, "no pitch")
    return _of_pitch(claim.relation, low, high)


def check_turn(claim: Turn, measurement: Measurement) -> Finding:
    """Checks "rises and then falls": the extreme lies inside, a step that can be heard away from both ends."""
    events = parts(measurement, claim.part)
    if not events:
        return no_such_part(measurement)
    level = claim.quantity is Quantity.LEVEL
    values = course(measurement, events, claim.part if isinstance(claim.part, Span) else None, level)
    if len(values) < 3 or not np.isfinite(values).all():
        return Finding(False, "no pitch" if not level else "too short")
    upward = claim.first is Relation.MORE
    place = int(np.argmax(values) if upward else np.argmin(values))
    step = t.FADE_STEP_DB if level else t.GLIDE_STEP_SEMITONES / t.SEMITONE
    ways = (abs(float(values[place] - values[0])), abs(float(values[place] - values[-1])))
    shown = [float(values[0]), float(values[place]), float(values[-1])]
    words = ", ".join(f"{v:.1f} dBFS" if level else f"{2**v:.0f} Hz" for v in shown)
    return Finding(0 < place < len(values) - 1 and min(ways) >= step, words)


def _check_inside(claim: Change, span: Span, events: list[Event], measurement: Measurement) -> Finding:
    """A change within one sound that goes on beyond the stretch."""
    start, end = span.seconds(measurement.duration)
    level = claim.quantity is Quantity.LEVEL
    ends = ends_of(within(measurement.level if level else measurement.pitch, events, start, end))
    if ends is None:
        return Finding(False, "no pitch" if not level else "silence")
    return _of_level(claim.relation, *ends) if level else _of_pitch(claim.relation, *ends)


def _check_brightness(claim: Change, events: list[Event], measurement: Measurement) -> Finding:
    start, end = claim.part.seconds(measurement.duration) if isinstance(claim.part, Span) else (0.0, math.inf)
    ends = ends_of(within(measurement.centroid, events, start, end))
    if ends is None or min(ends) <= 0:
        return Finding(None, "too short")
    step = math.log2(ends[1] / ends[0])
    words = f"centroid {ends[0]:.0f} to {ends[1]:.0f} Hz"
    return Finding(claim.relation in holding(step, t.CENTROID_STEP_OCTAVES), words)


def _of_level(relation: Relation, begin: float, end: float) -> Finding:
    return Finding(relation in holding(end - begin, t.FADE_STEP_DB), f"{begin:.1f} to {end:.1f} dBFS")


def _of_pitch(relation: Relation, low: float, high: float) -> Finding:
    step = t.SEMITONE * math.log2(high / low)
    return Finding(relation in holding(step, t.GLIDE_STEP_SEMITONES), f"{low:.0f} to {high:.0f} Hz")


def _check_tempo(relation: Relation, measurement: Measurement) -> Finding:
    rhythm = measurement.rhythm
    if rhythm is None or len(rhythm.gaps) < 2:
        return Finding(None, "too few events for a tempo")
    words = f"gaps {rhythm.gaps[0]:.2f} to {rhythm.gaps[-1]:.2f} s"
    possible = holding(-rhythm.change, t.TEMPO_STEP_OCTAVES)
    if rhythm.scatter > max(t.STRAIGHT * abs(rhythm.change), t.TEMPO_STEP_OCTAVES):
        possible = set()  # neither a change nor a steady pace: irregular
        words = f"irregular gaps, {min(rhythm.gaps):.2f} to {max(rhythm.gaps):.2f} s"
    return Finding(relation in possible, words)
