"""A claim and a measurement make a verdict, with the claimed and the measured value in words."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.alternatives import alternatives
from reward.describe import describe
from reward.families import COMPARED, COUNTS, MOVES, NUMBERS, QUALITIES, own_of
from reward.families.base import Finding, parts, weights_of
from reward.families.comparing import check_comparison
from reward.families.said import MOST_COUNTED, share_of_counts
from reward.families.values import check_value
from reward.measure import Measurement
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
    Statement,
    Timbre,
    Turn,
    Value,
)

SUPPORTED = trajectory_pb2.VERDICT_SUPPORTED
CONTRADICTED = trajectory_pb2.VERDICT_CONTRADICTED
NOT_CHECKABLE = trajectory_pb2.VERDICT_NOT_CHECKABLE
NEARLY = 0.8
"""Share of what sounds that is so where all of it is said to be."""


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
        chance=finding.chance or 0.0,
    )


def check(statement: Statement, measurement: Measurement) -> Finding:
    """Checks one statement, as its family does, and says how likely a blind guess would have been supported."""
    finding = _judged(statement, measurement)
    return finding if finding.chance is not None else replace(finding, chance=_chance(statement, measurement))


def _judged(statement: Statement, measurement: Measurement) -> Finding:
    """What is said of the n-th sound is contradicted only if it is sure which that is."""
    finding = _check(statement, measurement)
    if finding.holds is False and measurement.doubtful and _of_one_sound(statement):
        return replace(finding, holds=None, measured=f"{finding.measured}; which sound is meant is not sure")
    return finding


def _chance(statement: Statement, measurement: Measurement) -> float:
    """Share of blind guesses of this form that the clip supports."""
    if isinstance(statement, Value):
        return 0.0  # there is nothing of the kind
    if isinstance(statement, Not):
        return 1.0 - _chance(statement.statement, measurement)
    if isinstance(statement, Count):
        counts = range(1, MOST_COUNTED + 1)
        return share_of_counts(k for k in counts if _judged(replace(statement, value=k), measurement).holds)
    guesses = alternatives(statement)
    return sum(_judged(guess, measurement).holds is True for guess in guesses) / len(guesses)


def _of_one_sound(statement: Statement) -> bool:
    if isinstance(statement, Value | Comparison) and statement.quantity is Quantity.PAUSE:
        return False  # its number is that of a pause
    return isinstance(statement, Value | Comparison | Change | Turn | Timbre) and isinstance(statement.part, int)


def _check(statement: Statement, measurement: Measurement) -> Finding:
    match statement:
        case Not(inner):
            finding = _judged(inner, measurement)
            return Finding(None if finding.holds is None else not finding.holds, finding.measured)
        case Count():
            return COUNTS[statement.of].check(statement, measurement)
        case Value():
            return check_value(statement, NUMBERS[statement.quantity], measurement)
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


def _check_quality(claim: Timbre, measurement: Measurement) -> Finding:
    """Whether a sound is so, or nearly all of what sounds; where some is and some is not, it cannot be told."""
    quality = QUALITIES[claim.what]
    if quality.of_part is not None:
        return quality.of_part(claim.part, measurement)
    events = parts(measurement, claim.part)
    if not events:
        return Finding(False, "silence")
    if quality.check is None:
        return Finding(None, f"no scale for {claim.what}")
    pitched = [event for event in events if event.pitch is not None]
    chosen = pitched if quality.of_pitched and pitched else events
    answers = [quality.check(event) for event in chosen]
    weights = weights_of(chosen)
    for holds, words in answers:
        if sum(w for w, answer in zip(weights, answers, strict=True) if answer[0] is holds) >= NEARLY * sum(weights):
            return Finding(holds, words)
    return Finding(None, f"{answers[0][1]}; not all alike")
