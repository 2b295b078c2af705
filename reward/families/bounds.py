"""Bounds: whether a quantity lies above or below a number."""

from __future__ import annotations

import math

import numpy as np

from reward.families.base import Finding, Number, Scene, no_such_part, parts
from reward.families.count import counts_of
from reward.families.guessing import said_of
from reward.families.said import MOST_BY_CHANCE, MOST_COUNTED, share_of_counts
from reward.families.stretches import section
from reward.measure import Measurement
from reward.statements import Bound, Quantity, Span, Value

NEARLY = 0.8
"""Share of what sounds that is within the bounds where all of it is said to be."""
MARGIN = 0.5
"""So many tolerances around a bound it cannot be told."""
GUESSED = 0.5
"""Of "above" and "below" one is right."""


def check_bound(claim: Bound, number: Number, measurement: Measurement) -> Finding:
    """Supported where nearly all that is meant lies within the bounds, contradicted where nearly all lies outside."""
    chance = _chance(claim, number, measurement)
    if claim.quantity is Quantity.NUMBER:
        few, many = counts_of(claim.part, measurement) or (0, math.inf)
        holds = few >= claim.low and many <= claim.high
        return Finding(True if holds else _outside(claim, few, many), f"{few} to {many} events", chance=chance)
    events = parts(measurement, claim.part)
    if claim.part is not None and not events and number.of_events:
        return no_such_part(measurement)
    weighed = _weighed(claim, number, Scene(claim.part, events, measurement))
    if weighed is None:
        return Finding(None, "cannot be measured here")
    if not weighed:
        return Finding(False if number.refuted is None else None, number.none)
    total = sum(weight for _, weight in weighed)
    answers = [(_within(claim, number, value), weight) for value, weight in weighed]
    words = ", ".join(number.show(value) for value in sorted({value for value, _ in weighed})[:6])
    for holds in (True, False):
        if sum(weight for answer, weight in answers if answer is holds) >= NEARLY * total:
            near = min(
                (value for value, _ in weighed), key=lambda value: min(abs(value - claim.low), abs(value - claim.high))
            )
            return Finding(holds, words, near, chance)
    return Finding(None, words, chance=chance)


def _weighed(claim: Bound, number: Number, scene: Scene) -> list[tuple[float, float]] | None:
    """What the bound is said of, each with how much of the whole it is; None if it cannot be told."""
    if isinstance(claim.part, Span) and number.of_stretch is not None:
        whole = number.of_stretch(section(scene.measurement, claim.part))
        return [] if whole is None else [(whole, 1.0)]
    if number.pieces is not None and not isinstance(claim.part, int):
        return [(float(np.median(p.values)), p.weight) for p in number.pieces(scene) if len(p.values)]
    found = number.found(scene)
    return None if found is None else [(value, 1.0) for value in found]


def _within(claim: Bound, number: Number, value: float) -> bool | None:
    """Whether `value` is within the bounds; None near one of them."""
    for bound in (claim.low, claim.high):
        if math.isfinite(bound) and abs(value - bound) <= MARGIN * number.tolerance(bound):
            return None
    return claim.low <= value <= claim.high


def _outside(claim: Bound, few: float, many: float) -> bool | None:
    return False if many < claim.low or few > claim.high else None


def _chance(claim: Bound, number: Number, measurement: Measurement) -> float:
    """In how many recordings it is so: what nearly every one has ("longer than 0.1 s") says nothing of this one."""
    if claim.quantity is Quantity.NUMBER:
        return share_of_counts(k for k in range(1, MOST_COUNTED + 1) if claim.low <= k <= claim.high)
    edge = claim.low if math.isfinite(claim.low) else claim.high
    said = said_of(Value(claim.quantity, claim.part, edge), number, measurement.duration)
    guessed = MOST_BY_CHANCE if math.isfinite(claim.low) and math.isfinite(claim.high) else GUESSED
    return max(guessed, said.usually(claim.low, claim.high), said.share(claim.low, claim.high))
