"""A claim and a measurement make a verdict, with the claimed and the measured value in words."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward import tolerances as t
from reward.claims.facts import (
    Change,
    Claim,
    Comparison,
    Count,
    Not,
    Part,
    Quantity,
    Regular,
    Relation,
    Side,
    Statement,
    Timbre,
    Value,
)
from reward.describe import describe, show
from reward.measure import Event, Measurement
from reward.timbre import check_timbre
from reward.values import measured_values, tolerance

SUPPORTED = trajectory_pb2.VERDICT_SUPPORTED
CONTRADICTED = trajectory_pb2.VERDICT_CONTRADICTED
NOT_CHECKABLE = trajectory_pb2.VERDICT_NOT_CHECKABLE


@dataclass(frozen=True)
class Finding:
    """Whether a statement holds (None: cannot be told on this clip) and what was measured, in words."""

    holds: bool | None
    measured: str


def verify(claim: Claim, measurement: Measurement) -> trajectory_pb2.Claim:
    """The claim with its verdict. What is only said to be possible is not checked."""
    finding = check(claim.statement, measurement)
    if claim.uncertain or finding.holds is None:
        verdict = NOT_CHECKABLE
    else:
        verdict = SUPPORTED if finding.holds else CONTRADICTED
    return trajectory_pb2.Claim(
        text=claim.text,
        kind=claim.kind,
        verdict=verdict,
        claimed=describe(claim.statement) + (" (perhaps)" if claim.uncertain else ""),
        measured=finding.measured,
    )


def check(statement: Statement, measurement: Measurement) -> Finding:
    """Checks one statement."""
    match statement:
        case Not(inner):
            finding = check(inner, measurement)
            return Finding(None if finding.holds is None else not finding.holds, finding.measured)
        case Count(value):
            count = len(measurement.events)
            return Finding(value == count, f"{count} event{'' if count == 1 else 's'}")
        case Value():
            return _check_value(statement, measurement)
        case Comparison():
            return _check_comparison(statement, measurement)
        case Change():
            return _check_change(statement, measurement)
        case Regular(even):
            return _check_regular(even, measurement)
        case Timbre(what, part):
            return Finding(*check_timbre(what, parts(measurement, part)))
        case Side(where):
            return _check_side(where, measurement)


def parts(measurement: Measurement, part: Part) -> list[Event]:
    """The events a part stands for: all of them for None, none if there are not so many."""
    events = list(measurement.events)
    if part is None:
        return events
    if part == -1:
        return events[-1:]
    return events[part - 1 : part]


def holding(difference: float, step: float) -> set[Relation]:
    """The relations that may be said of a difference, given the least one that counts; near it two may."""
    relations = set()
    if abs(difference) < step * (1 + t.BORDER):
        relations.add(Relation.SAME)
    if abs(difference) > step * (1 - t.BORDER):
        relations.add(Relation.MORE if difference > 0 else Relation.LESS)
    return relations


def _check_value(claim: Value, measurement: Measurement) -> Finding:
    events = parts(measurement, claim.part)
    if claim.part is not None and not events:
        return _no_such_part(measurement)
    found = measured_values(claim.quantity, events, measurement)
    if found is None:
        return Finding(None, "cannot be measured here")
    if not found:
        return Finding(False, "no pitch" if claim.quantity.kind == "pitch" else "none")
    near = min(found, key=lambda value: abs(value - claim.value))
    words = ", ".join(show(claim.quantity, value) for value in sorted(set(found))[:6])
    return Finding(abs(near - claim.value) <= tolerance(claim.quantity, claim.value), words)


def _check_comparison(claim: Comparison, measurement: Measurement) -> Finding:
    subject = parts(measurement, claim.part)
    others = parts(measurement, claim.other)
    if claim.other is None:
        others = [event for event in others if event not in subject]
    if not subject or not others:
        return _no_such_part(measurement)
    measure, step, unit = _COMPARED[claim.quantity]
    here, there = measure(subject[0]), [measure(event) for event in others]
    if here is None or None in there:
        return Finding(False, "no pitch" if claim.quantity is Quantity.PITCH else "silence")
    known = [value for value in there if value is not None]
    differences = [here - value for value in known]
    holds = all(claim.relation in holding(difference, step) for difference in differences)
    if claim.amount is not None and claim.relation is not Relation.SAME:
        holds = holds and abs(abs(differences[0]) - abs(claim.amount)) <= _amount_tolerance(claim)
    words = ", ".join(f"{difference * _SHOWN[claim.quantity]:+.3g} {unit}" for difference in differences[:6])
    return Finding(holds, words)


def _check_change(claim: Change, measurement: Measurement) -> Finding:
    if claim.quantity is Quantity.TEMPO:
        return _check_tempo(claim.relation, measurement)
    events = parts(measurement, claim.part)
    if not events:
        return _no_such_part(measurement)
    first, last = events[0], events[-1]
    if claim.quantity is Quantity.LEVEL:
        begin, end = (first.level_start, last.level_end) if first is last else (first.level, last.level)
        return Finding(claim.relation in holding(end - begin, t.FADE_STEP_DB), f"{begin:.1f} to {end:.1f} dBFS")
    low, high = (first.pitch_start, first.pitch_end) if first is last else (first.pitch, last.pitch)
    if low is None or high is None:
        return Finding(False, "no pitch")
    step = t.SEMITONE * math.log2(high / low)
    return Finding(claim.relation in holding(step, t.GLIDE_STEP_SEMITONES), f"{low:.0f} to {high:.0f} Hz")


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


def _check_regular(even: bool, measurement: Measurement) -> Finding:
    rhythm = measurement.rhythm
    if rhythm is None or len(rhythm.gaps) < 2:
        return Finding(None, "too few events for a rhythm")
    possible = holding(rhythm.variation, t.REGULAR_VARIATION)
    holds = (Relation.SAME if even else Relation.MORE) in possible
    return Finding(holds, f"gaps {min(rhythm.gaps):.2f} to {max(rhythm.gaps):.2f} s, vary by {rhythm.variation:.0%}")


def _check_side(where: str, measurement: Measurement) -> Finding:
    balance = measurement.balance
    if balance is None:
        return Finding(None, "not a stereo clip")
    words = f"right over left: {balance.whole:+.1f} dB"
    moves = balance.end - balance.start
    if where in ("rightward", "leftward"):
        toward = moves if where == "rightward" else -moves
        return Finding(toward >= t.MOVE_DB, f"right over left: {balance.start:+.1f} to {balance.end:+.1f} dB")
    if where == "middle":
        return Finding(abs(balance.whole) < t.SIDE_DB and abs(moves) < t.MOVE_DB, words)
    return Finding((balance.whole if where == "right" else -balance.whole) >= t.SIDE_DB, words)


def _no_such_part(measurement: Measurement) -> Finding:
    count = len(measurement.events)
    return Finding(False, f"only {count} event{'' if count == 1 else 's'}" if count else "silence")


def _amount_tolerance(claim: Comparison) -> float:
    if claim.quantity is Quantity.LEVEL:
        return t.LEVEL_DIFFERENCE_DB
    if claim.quantity is Quantity.PITCH:
        return 1.0
    return math.inf


def _octaves(hertz: float) -> float | None:
    return math.log2(hertz) if hertz > 0 else None


def _semitones(event: Event) -> float | None:
    return None if event.pitch is None else t.SEMITONE * math.log2(event.pitch)


_COMPARED: dict[Quantity, tuple[Callable[[Event], float | None], float, str]] = {
    Quantity.PITCH: (_semitones, t.PITCH_STEP_SEMITONES, "semitones"),
    Quantity.LEVEL: (lambda event: event.level, t.LEVEL_STEP_DB, "dB"),
    Quantity.CENTROID: (lambda event: _octaves(event.centroid), t.CENTROID_STEP_OCTAVES, "octaves"),
    # Weber's fraction: lengths are compared by their ratio.
    Quantity.DURATION: (lambda event: math.log(event.duration), math.log1p(t.DURATION_STEP), "%"),
}
"""Measure, least step that counts, and unit."""
_SHOWN = {Quantity.PITCH: 1.0, Quantity.LEVEL: 1.0, Quantity.CENTROID: 1.0, Quantity.DURATION: 100.0}
"""Factor from the compared measure to the unit shown."""
