"""What is said of several clips, each a recording of its own, checked on the clip that is meant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from reward.alternatives import alternatives
from reward.families import COMPARED
from reward.families.base import Compared, Finding
from reward.families.comparing import compare
from reward.families.stretches import section
from reward.measure import Measurement
from reward.statements import Comparison, Not, Part, Quantity, Span, Statement, Value
from reward.verify import check, is_pitch_unsure

WHOLE = Span(0.0, math.inf)
NOT_SAID = Finding(None, "which clip is meant is not said")


def check_among(statement: Statement, clips: Sequence[Measurement]) -> Finding:
    """As `verify.check`, on the clip whose number a statement has for its part; a comparison of parts is one of clips.

    What names no clip, or a time of one, is not checkable: it may be meant of each.
    """
    if len(clips) == 1:
        return check(statement, clips[0])
    inner = statement.statement if isinstance(statement, Not) else statement
    if isinstance(inner, Comparison):
        return _check_comparison(statement, inner, clips)
    if not isinstance(part := getattr(inner, "part", None), int):
        return NOT_SAID
    if (clip := _clip(part, clips)) is None:
        return Finding(False, f"{len(clips)} clips")
    whole = replace(inner, part=None)  # type: ignore[arg-type]
    if isinstance(whole, Value) and whole.quantity is Quantity.DURATION:
        length = _check_length(whole, clip)
        return _denied(length) if isinstance(statement, Not) else length
    return check(Not(whole) if isinstance(statement, Not) else whole, clip)  # type: ignore[arg-type]


def clip_meant(statement: Statement, clips: int) -> int:
    """The number from 1 of the clip, of so many, that a statement is about; 0 where it names none that is there."""
    inner = statement.statement if isinstance(statement, Not) else statement
    part = getattr(inner, "part", None)
    if clips == 1:
        return 1
    if not isinstance(part, int) or not -1 <= part <= clips:
        return 0
    return clips if part == -1 else part


def said_of(statement: Statement, number: int, clips: int) -> Statement | None:
    """A statement about the clip of that number, of so many, as one of that clip alone; None if it is about another."""
    if clips == 1:
        return statement
    if clip_meant(statement, clips) != number:
        return None
    inner = statement.statement if isinstance(statement, Not) else statement
    whole = replace(inner, part=None)  # type: ignore[arg-type]
    return Not(whole) if isinstance(statement, Not) else whole  # type: ignore[arg-type]


def _clip(part: Part, clips: Sequence[Measurement]) -> Measurement | None:
    """The n-th clip from 1, the last for -1; None if there is none."""
    if part == -1:
        return clips[-1]
    return clips[part - 1] if isinstance(part, int) and 1 <= part <= len(clips) else None


def _check_length(claim: Value, clip: Measurement) -> Finding:
    """ "Clip B lasts 1.5 s" may be said of what sounds in it and of the recording."""
    found = [check(claim, clip), check(replace(claim, quantity=Quantity.CLIP), clip)]
    chance = min(1.0, sum(finding.chance or 0.0 for finding in found))
    for holds in (True, None):
        if (right := next((finding for finding in found if finding.holds is holds), None)) is not None:
            return replace(right, chance=chance)
    return replace(found[0], measured=f"{found[0].measured}; the clip {found[1].measured}", chance=chance)


def _check_comparison(statement: Statement, claim: Comparison, clips: Sequence[Measurement]) -> Finding:
    if not isinstance(claim.part, int) or isinstance(claim.other, Span):
        return NOT_SAID
    subject, other = _clip(claim.part, clips), _clip(claim.other, clips)
    others = [other] if claim.other is not None else [clip for clip in clips if clip is not subject]
    if subject is None or None in others:
        return Finding(False, f"{len(clips)} clips")
    against = [clip for clip in others if clip is not None]
    finding = _compared(claim, subject, against)
    guesses = alternatives(claim)
    chance = sum(_compared(guess, subject, against).holds is True for guess in guesses) / len(guesses)  # type: ignore[arg-type]
    finding = finding if finding.chance is not None else replace(finding, chance=chance)
    return _denied(finding) if isinstance(statement, Not) else finding


def _denied(finding: Finding) -> Finding:
    """What is found of the contrary."""
    holds = None if finding.holds is None else not finding.holds
    return replace(finding, holds=holds, chance=1 - (finding.chance or 0.0))


def _compared(claim: Comparison, subject: Measurement, others: Sequence[Measurement]) -> Finding:
    how = COMPARED[claim.quantity]
    if how.of_clips is not None:
        found = [how.of_clips(claim, subject, other) for other in others]
        answers = [finding.holds for finding in found]
        holds = False if False in answers else None if None in answers else True
        return Finding(holds, "; ".join(finding.measured for finding in found))
    if how.of_stretch is None:
        return Finding(None, "not compared between clips")
    if any(is_pitch_unsure(replace(claim, part=None, other=None), clip) for clip in (subject, *others)):
        return Finding(None, "two methods do not agree on the pitch")
    return compare(claim, how, _value(how, subject), [_value(how, other) for other in others])


def _value(how: Compared, clip: Measurement) -> float | None:
    assert how.of_stretch is not None
    heard = section(clip, WHOLE)
    return None if heard.level is None else how.of_stretch(heard)
