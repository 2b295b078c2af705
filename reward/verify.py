"""A claim and a measurement make a verdict, with the claimed and the measured value in words."""

from __future__ import annotations

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward import tolerances as t
from reward.checks.finding import Finding, no_such_part, parts
from reward.checks.number import check_count
from reward.checks.order import check_comparison
from reward.checks.rhythm import check_rhythm
from reward.checks.side import check_side
from reward.checks.silence import check_silence
from reward.checks.timbre import check_timbre
from reward.checks.trend import check_change, check_turn
from reward.checks.values import measured_values, tolerance
from reward.claims.facts import (
    Change,
    Claim,
    Comparison,
    Count,
    Not,
    Pace,
    Quantity,
    Regular,
    Repeats,
    Side,
    Statement,
    Timbre,
    Turn,
    Value,
)
from reward.describe import describe, show
from reward.measure import Measurement

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
    """Checks one statement."""
    match statement:
        case Not(inner):
            finding = check(inner, measurement)
            return Finding(None if finding.holds is None else not finding.holds, finding.measured)
        case Count():
            return check_count(statement, measurement)
        case Value():
            return _check_value(statement, measurement)
        case Comparison():
            return check_comparison(statement, measurement)
        case Change():
            return check_change(statement, measurement)
        case Turn():
            return check_turn(statement, measurement)
        case Regular() | Pace() | Repeats():
            return check_rhythm(statement, measurement)
        case Timbre(what, part):
            if what == "silent":
                return check_silence(part, measurement)
            return Finding(*check_timbre(what, parts(measurement, part)))
        case Side():
            return check_side(statement, measurement)


def _check_value(claim: Value, measurement: Measurement) -> Finding:
    events = parts(measurement, claim.part)
    if claim.part is not None and not events and claim.quantity is not Quantity.PAUSE:
        return no_such_part(measurement)
    found = measured_values(claim.quantity, claim.part, events, measurement)
    if found is None:
        return Finding(None, "cannot be measured here")
    if not found:
        return Finding(False, "no pitch" if claim.quantity.kind == "pitch" else "none")
    near = min(found, key=lambda value: abs(value - claim.value))
    words = ", ".join(show(claim.quantity, value) for value in sorted(set(found))[:6])
    if claim.quantity is Quantity.SYLLABLES and t.UNDERCOUNTED[0] < near < claim.value < t.UNDERCOUNTED[1] * near:
        return Finding(True if claim.value - near <= tolerance(claim.quantity, claim.value) else None, words, near)
    return Finding(abs(near - claim.value) <= tolerance(claim.quantity, claim.value), words, near)
