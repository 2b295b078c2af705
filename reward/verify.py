"""A claim and a measurement make a verdict, with the claimed and the measured value in words."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeGuard, assert_never

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.alternatives import alternatives
from reward.describe import describe
from reward.families import COMPARED, COUNTS, MOVES, NUMBERS, QUALITIES, family_of, own_of
from reward.families.base import Finding, parts, weights_of
from reward.families.bounds import check_bound
from reward.families.comparing import check_comparison
from reward.families.course import wavers
from reward.families.readings import readings
from reward.families.said import MOST_COUNTED, share_of_counts
from reward.families.stretches import is_voice
from reward.families.values import check_value
from reward.measure import Measurement
from reward.measure.facts import in_parallel
from reward.parse.claim import Claim
from reward.recognise.track import NotHeard
from reward.statements import (
    Alone,
    Bound,
    Change,
    Comparison,
    Count,
    Not,
    Quantity,
    Relation,
    Statement,
    Timbre,
    Turn,
    Value,
)

SUPPORTED = trajectory_pb2.VERDICT_SUPPORTED
CONTRADICTED = trajectory_pb2.VERDICT_CONTRADICTED
_TO_THE_NEXT = (Quantity.DURATION, Quantity.OFFSET)
"""What the beginning of the next sound decides as well."""
_GAPS = {
    Quantity.GAP_FIRST: slice(None, 2),
    Quantity.GAP_LAST: slice(-2, None),
    Quantity.GAP_SHORTEST: slice(None),
    Quantity.GAP_LONGEST: slice(None),
}
NOT_CHECKABLE = trajectory_pb2.VERDICT_NOT_CHECKABLE
UNSURE = 0.25
"""Most of what sounds whose F0 may be open where something is told of it."""
UNSURE_OF_SPEECH = 0.5
"""Of speech, whose consonants have none: its pitch is the median of the whole."""
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
    """What is said of the n-th sound holds or not only if it is sure which that is, or all the same."""
    finding = _check(statement, measurement)
    if (
        _of_one_sound(statement)
        and _unsure(statement, measurement, finding.holds is False)
        and any(_check(statement, other).holds is not finding.holds for other in readings(measurement))
    ):
        return replace(finding, holds=None, measured=f"{finding.measured}; which sound is meant is not sure")
    if finding.holds is not None and is_pitch_unsure(statement, measurement):
        return replace(finding, holds=None, measured=f"{finding.measured}; two methods do not agree on the pitch")
    return finding


def is_pitch_unsure(statement: Statement, measurement: Measurement) -> bool:
    """Whether it goes by F0, and two methods disagree on that of a good part of what is spoken of."""
    if not family_of(statement).tonal:
        return False
    named = [part for part in (getattr(statement, "part", None), getattr(statement, "other", None)) if part is not None]
    events = [event for part in named or [None] for event in parts(measurement, part)]
    if isinstance(statement, Change):  # goes by the first and the last
        ends = events[:1] + events[-1:]
        chords = any(event.notes and not event.rings for event in ends)
        alone = len(events) > 1 and in_parallel(ends[0].notes, ends[-1].notes)
        return not all(event.pitch_sure for event in ends) or (chords and not alone)
    unsure = [w for w, event in zip(weights_of(events), events, strict=True) if not event.pitch_sure]
    most = UNSURE if named or not is_voice(measurement) else UNSURE_OF_SPEECH
    return sum(unsure) > most * sum(weights_of(events))


def _chance(statement: Statement, measurement: Measurement) -> float:
    """Share of blind guesses of this form that the clip supports."""
    if isinstance(statement, Value | Bound):
        return 0.0  # there is nothing of the kind
    if isinstance(statement, Not):
        inner = statement.statement
        if _is_steady(inner):  # steady, or not: one of two guesses
            return sum(_judged(guess, measurement).holds is True for guess in (inner, statement)) / 2
        return 1.0 - _chance(inner, measurement)
    if isinstance(statement, Count):
        counts = range(1, MOST_COUNTED + 1)
        return share_of_counts(k for k in counts if _judged(replace(statement, value=k), measurement).holds)
    guesses = alternatives(statement)
    return sum(_judged(guess, measurement).holds is True for guess in guesses) / len(guesses)


def _unsure(statement: Statement, measurement: Measurement, contradicted: bool) -> bool:
    """Whether one of the sounds up to the one that is meant may be none, or one more may be among them."""
    events = measurement.events
    if contradicted and isinstance(statement, Value) and statement.quantity is Quantity.ONSET:
        # Where there is such a sound, it is near nothing that may be an onset.
        return isinstance(statement.part, int) and statement.part > len(events) and bool(measurement.doubtful)
    meant = [part for part in (getattr(statement, "part", None), getattr(statement, "other", None)) if part]
    if (gaps := _gaps(statement)) is not None:
        return not all(event.sure for event in events[gaps]) or (contradicted and bool(measurement.doubtful))
    if meant == [-1]:
        before, upto = events[-1:], [t for t in measurement.doubtful if events and t > events[-1].start]
    else:
        last = len(events) if -1 in meant else max((part for part in meant if isinstance(part, int)), default=0)
        last += isinstance(statement, Value) and statement.quantity in _TO_THE_NEXT
        before = events[:last]
        upto = [t for t in measurement.doubtful if last > len(events) or (before and t < before[-1].end)]
    return not all(event.sure for event in before) or (contradicted and bool(upto))


def _is_steady(statement: Statement) -> TypeGuard[Change]:
    return isinstance(statement, Change) and statement.relation is Relation.SAME


def _of_one_sound(statement: Statement) -> bool:
    if isinstance(statement, Value | Bound | Comparison) and statement.quantity is Quantity.PAUSE:
        return False  # its number is that of a pause
    return _gaps(statement) is not None or (
        isinstance(statement, Value | Bound | Comparison | Change | Turn | Timbre) and isinstance(statement.part, int)
    )


def _gaps(statement: Statement) -> slice | None:
    """Which sounds decide the gap that is spoken of."""
    return _GAPS.get(statement.quantity) if isinstance(statement, Value | Bound) else None


def _check(statement: Statement, measurement: Measurement) -> Finding:
    try:
        return _checked(statement, measurement)
    except NotHeard as reason:
        return Finding(None, str(reason))


def _checked(statement: Statement, measurement: Measurement) -> Finding:
    match statement:
        case Not(inner):
            finding = _judged(inner, measurement)
            if _is_steady(inner) and finding.holds is not False:
                away = wavers(inner, measurement)  # "vibrato" goes to and fro, and may end where it began
                if away is not False:
                    return Finding(away, finding.measured)
            return Finding(None if finding.holds is None else not finding.holds, finding.measured)
        case Count():
            return COUNTS[statement.of].check(statement, measurement)
        case Value():
            return check_value(statement, NUMBERS[statement.quantity], measurement)
        case Bound():
            return check_bound(statement, NUMBERS[statement.quantity], measurement)
        case Comparison():
            return check_comparison(statement, COMPARED[statement.quantity], measurement)
        case Change():
            return MOVES[statement.quantity].check(statement, measurement)
        case Turn():
            turn = MOVES[statement.quantity].turn
            return turn(statement, measurement) if turn else Finding(None, "followed one way only")
        case Timbre():
            return _check_quality(statement, measurement)
        case Alone():
            return own_of(statement).check(statement, measurement)
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
