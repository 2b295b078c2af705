"""A claim and a measurement make a verdict, with the claimed and the measured value in words."""

from __future__ import annotations

from typing import assert_never

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.describe import describe
from reward.families import COMPARED, COUNTS, MOVES, NUMBERS, QUALITIES, own_of
from reward.families.base import Finding, Scene, no_such_part, parts
from reward.families.comparing import check_comparison
from reward.families.stretches import section
from reward.measure import Event, Measurement
from reward.parse.claim import Claim
from reward.statements import (
    Change,
    Comparison,
    Count,
    Not,
    Pace,
    Quantity,
    Regular,
    Repeats,
    Side,
    Span,
    Statement,
    Timbre,
    Turn,
    Value,
)

SUPPORTED = trajectory_pb2.VERDICT_SUPPORTED
CONTRADICTED = trajectory_pb2.VERDICT_CONTRADICTED
NOT_CHECKABLE = trajectory_pb2.VERDICT_NOT_CHECKABLE


def as_message(claim: Claim, finding: Finding) -> trajectory_pb2.Claim:
    """The claim with its verdict. What is only said to be possible is not checkable."""
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
    """Checks one statement, as its family does. What is said of the n-th sound is contradicted only if it is sure which
    that is."""
    finding = _check(statement, measurement)
    if finding.holds is False and measurement.doubtful and _of_one_sound(statement):
        return Finding(None, f"{finding.measured}; which sound is meant is not sure", finding.matched)
    return finding


def _of_one_sound(statement: Statement) -> bool:
    if isinstance(statement, Value | Comparison) and statement.quantity is Quantity.PAUSE:
        return False  # its number is that of a pause
    return isinstance(statement, Value | Comparison | Change | Turn | Timbre) and isinstance(statement.part, int)


def _check(statement: Statement, measurement: Measurement) -> Finding:
    match statement:
        case Not(inner):
            finding = check(inner, measurement)
            return Finding(None if finding.holds is None else not finding.holds, finding.measured)
        case Count():
            return COUNTS[statement.of].check(statement, measurement)
        case Value():
            return _check_value(statement, measurement)
        case Comparison():
            return check_comparison(statement, COMPARED[statement.quantity], measurement)
        case Change():
            return MOVES[statement.quantity].check(statement, measurement)
        case Turn():
            turn = MOVES[statement.quantity].turn
            return turn(statement, measurement) if turn else Finding(None, "followed one way only")
        case Timbre():
            return _check_quality(statement, measurement)
        case Regular() | Pace() | Repeats() | Side():
            own = own_of(statement)
            assert own is not None
            return own.check(statement, measurement)
    assert_never(statement)


def _check_value(claim: Value, measurement: Measurement) -> Finding:
    number = NUMBERS[claim.quantity]
    events = parts(measurement, claim.part)
    if claim.part is not None and not events and number.of_events:
        return no_such_part(measurement)
    found = _candidates(claim, events, measurement)
    if found is None:
        return Finding(None, "cannot be measured here")
    if not found:
        return Finding(False, number.none)
    near = min(found, key=lambda value: abs(value - claim.value))
    words = ", ".join(number.show(value) for value in sorted(set(found))[:6])
    if number.holds is not None:
        return Finding(number.holds(near, claim.value, measurement), words, near)
    return Finding(abs(near - claim.value) <= number.tolerance(claim.value), words, near)


def _candidates(claim: Value, events: list[Event], measurement: Measurement) -> list[float] | None:
    """Measured values that a number may stand for; of a stretch also its own, by the contour."""
    number = NUMBERS[claim.quantity]
    if isinstance(claim.part, Span) and number.of_stretch is not None:
        own = number.of_stretch(section(measurement, claim.part))
        return ([] if own is None else [own]) + (number.found(Scene(None, events, measurement)) or [])
    return number.found(Scene(claim.part, events, measurement))


def _check_quality(claim: Timbre, measurement: Measurement) -> Finding:
    """Whether every event of the part is so; the first that is not, or cannot be told, decides."""
    quality = QUALITIES[claim.what]
    if quality.of_part is not None:
        return quality.of_part(claim.part, measurement)
    events = parts(measurement, claim.part)
    if not events:
        return Finding(False, "silence")
    if quality.check is None:
        return Finding(None, f"no scale for {claim.what}")
    pitched = [event for event in events if event.pitch is not None]
    answers = [quality.check(event) for event in (pitched if quality.of_pitched and pitched else events)]
    return Finding(*next((answer for answer in answers if answer[0] is not True), answers[0]))
