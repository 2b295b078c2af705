"""Comparisons of one part with another, in whatever quantity."""

from __future__ import annotations

from reward.families.base import Compared, Finding, holds_of, no_such_part, parts
from reward.families.said import MOST_BY_CHANCE, WRONG
from reward.families.stretches import section
from reward.measure import Measurement
from reward.statements import Comparison, Quantity, Relation, Span

WAYS = 2
"""Of a difference that is said with its amount, the direction is a guess too."""


def check_comparison(claim: Comparison, how: Compared, measurement: Measurement) -> Finding:
    """Checks a comparison of two events, of one with all others, or of two stretches."""
    if how.measure is None and how.check is None:
        return Finding(None, f"{claim.quantity} is not compared")
    if isinstance(claim.part, Span):
        return _check_stretches(claim, claim.part, how, measurement)
    if how.check is not None:
        return how.check(claim, measurement)
    assert how.measure is not None
    subject = parts(measurement, claim.part)
    others = parts(measurement, claim.other)
    if claim.other is None:
        others = [event for event in others if event not in subject]
    if not subject or not others:
        return no_such_part(measurement)
    return compare(claim, how, how.measure(subject[0]), [how.measure(event) for event in others])


def _check_stretches(claim: Comparison, span: Span, how: Compared, measurement: Measurement) -> Finding:
    other = claim.other if isinstance(claim.other, Span) else span.rest
    if how.of_stretch is None:
        return Finding(None, "not compared between stretches")
    here, there = section(measurement, span), section(measurement, other)
    if here.level is None or there.level is None:
        if claim.quantity is Quantity.LEVEL and (here.level is None) != (there.level is None):
            louder = Relation.LESS if here.level is None else Relation.MORE
            return Finding(claim.relation is louder, "silence in one of the two")
        return Finding(False, "silence")
    return compare(claim, how, how.of_stretch(here), [how.of_stretch(there)])


def compare(claim: Comparison, how: Compared, here: float | None, there: list[float | None]) -> Finding:
    """Checks that `here` stands to each of `there` as claimed, all on the scale of `how`; None where there is none."""
    if here is None or None in there:
        return Finding(False, how.none)
    differences = [here - value for value in there if value is not None]
    answers = [holds_of(claim.relation, difference, how.step) for difference in differences]
    holds = False if False in answers else None if None in answers else True
    words = ", ".join(f"{difference * how.shown:+.3g} {how.unit}" for difference in differences[:6])
    if holds is not True or claim.amount is None or claim.relation is Relation.SAME:
        return Finding(holds, words)
    size, width = abs(differences[0]), how.amount_tolerance
    chance = how.amount_said.share(size - width, size + width) / WAYS
    fit, off = min(1.0, MOST_BY_CHANCE / max(chance, 1e-9)), abs(size - abs(claim.amount))
    return Finding(True if off <= fit * width else False if off > WRONG * width else None, words, None, fit * chance)
