"""Speaking rate: syllables, and how many a second."""

from __future__ import annotations

from reward.families.base import Counts, Family, Finding, Number, Own, Scene, share_of
from reward.families.said import Said
from reward.families.tempo import on_pace
from reward.measure import Measurement
from reward.statements import Count, Counted, Pace, Quantity

SYLLABLES = 0.25
"""Speaking rate: twice the error of the measurement, and counts of syllables differ between listeners."""
UNDERCOUNTED = (4.5, 1.6)
"""From so many measured syllables a second on, vowels run together: up to so many times as many may be there."""
RATES = Said(1.0, 8.0, by_ratio=False, usual=(3.5, 1.5))
"""Speaking rates that models say."""
FAST_SYLLABLES = (3.3, 5.0)
"""Scale of speaking rate, syllables a second: conversation lies between 4 and 5; slow reading near 3."""


def _rate(scene: Scene) -> list[float] | None:
    syllables = scene.measurement.syllables
    return None if syllables is None else [syllables.rate]


def _refuted(near: float, claimed: float, _: Measurement) -> bool:
    return not UNDERCOUNTED[0] < near < claimed < UNDERCOUNTED[1] * near


def _count(claim: Count, measurement: Measurement) -> Finding:
    if measurement.syllables is None:
        return Finding(None, "too few syllables to count")
    found = measurement.syllables
    within = abs(found.count - claim.value) <= max(1.0, SYLLABLES * claim.value)
    undercounted = found.rate > UNDERCOUNTED[0] and found.count < claim.value < UNDERCOUNTED[1] * found.count
    holds = claim.value == found.count  # a guess would be within the tolerance too often
    return Finding(True if holds else None if within or undercounted else False, f"{found.count} syllables")


def _check_pace(claim: Pace, measurement: Measurement) -> Finding:
    if measurement.syllables is None:
        return Finding(None, "too few syllables for a rate")
    return on_pace(measurement.syllables.rate, FAST_SYLLABLES, claim.fast, "syllables/s")


FAMILY = Family(
    "speaking rate",
    numbers={Quantity.SYLLABLES: Number(_rate, share_of(SYLLABLES), "syllables/s", refuted=_refuted, said=RATES)},
    counts={Counted.SYLLABLES: Counts(("syllable", "syllables"), _count)},
    own=Own(
        is_mine=lambda statement: isinstance(statement, Pace) and statement.speech,
        check=_check_pace,
        describe=lambda claim: f"{'fast' if claim.fast else 'slow'} speech",
        excludes=True,
        others=lambda claim: [Pace(not claim.fast, True)],
    ),
)
