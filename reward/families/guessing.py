"""How near to what is measured a value must come, and how likely a guess would have been taken for right."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from reward.families.base import Number
from reward.families.said import MOST_BY_CHANCE, WRONG, Said
from reward.measure import Measurement
from reward.statements import Quantity, Value

GUESSES = 24
"""Guesses of which it is asked whether they would be contradicted."""
LIKELIEST = 0.65
"""A right number is never discounted by more, though hardly another would have been contradicted."""
NARROWINGS = 4
"""Each brings the chance nearer to its bound: a share of a range is not quite in proportion to a tolerance."""
AT_ONCE = (0.15, 0.2)
"""When recordings begin to sound: middle and spread, seconds."""


def said_of(claim: Value, number: Number, duration: float) -> Said:
    """What may be said in place of the value; a time is one of the clip."""
    if number.said is not None:
        return number.said
    first = claim.quantity is Quantity.ONSET and claim.part in (None, 1)
    return Said(0.0, duration, by_ratio=False, usual=AT_ONCE if first else None)


def fitted(claim: Value, found: Sequence[float], number: Number, duration: float) -> float:
    """How near to one of `found` is right: the family's tolerance, and less where a guess often comes so near."""
    return _fit(said_of(claim, number, duration), found, number) * number.tolerance(claim.value)


def _fit(said: Said, found: Sequence[float], number: Number) -> float:
    """How many of the family's tolerances, at most 1."""
    fit = 1.0
    for _ in range(NARROWINGS):
        chance = _hit(said, found, number, fit)
        if chance <= MOST_BY_CHANCE:
            break
        fit *= MOST_BY_CHANCE / chance
    return fit


def chance_of(
    claim: Value, number: Number, measurement: Measurement, found: Sequence[float], open_to: Sequence[float]
) -> float:
    """Of guesses with a verdict, the share that is right: of any value on this clip, or of this value on any clip.

    `found` is what a right value is near, `open_to` what one may be meant that is neither.
    """
    said = said_of(claim, number, measurement.duration)
    fit = _fit(said, found, number)
    width = fit * number.tolerance(claim.value)
    wrong = _contradicted(said, number, measurement, [*found, *open_to])
    even = _hit(said, found, number, fit)
    usual = said.usually(claim.value - width, claim.value + width)
    others = min(wrong, 1.0 - said.usually(*_open(claim, number, found, open_to)))
    return min(LIKELIEST, max(_of_both(even, wrong), _of_both(usual, others)))


def _open(claim: Value, number: Number, found: Sequence[float], open_to: Sequence[float]) -> tuple[float, float]:
    """The values that a clip like this one may have where the claimed one is not contradicted.

    Like this one: as far from each other as here are what is found and what may be meant.
    """
    wide = WRONG * number.tolerance(claim.value)
    below = max((value - min(open_to) for value in found), default=0.0)
    above = max((max(open_to) - value for value in found), default=0.0)
    return claim.value - above - wide, claim.value + below + wide


def _of_both(right: float, wrong: float) -> float:
    return right / (right + wrong) if right > 0 else 0.0


def _hit(said: Said, found: Sequence[float], number: Number, fit: float) -> float:
    """Share of what is said that comes within `fit` tolerances of one of `found`."""
    return sum(said.share(low, high) for low, high in _spans(found, number, fit))


def _spans(values: Sequence[float], number: Number, widths: float) -> list[tuple[float, float]]:
    """What is within so many tolerances of one of `values`, without overlap, from low to high."""
    ordered = sorted(set(values))
    edges = [(value - widths * number.tolerance(value), value + widths * number.tolerance(value)) for value in ordered]
    for (index, (_, high)), (_, (low, _)) in pairwise(enumerate(edges)):
        if low < high:
            middle = (low + high) / 2
            edges[index] = (edges[index][0], middle)
            edges[index + 1] = (middle, edges[index + 1][1])
    return edges


def _contradicted(said: Said, number: Number, measurement: Measurement, values: Sequence[float]) -> float:
    """Share of what is said that would be contradicted."""
    wrong = 0
    for guess in said.evenly(GUESSES):
        near = min(values, key=lambda value: abs(value - guess), default=float("nan"))
        far = not values or abs(near - guess) > WRONG * number.tolerance(guess)
        wrong += far and (number.refuted is None or number.refuted(near, guess, measurement))
    return wrong / GUESSES
