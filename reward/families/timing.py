"""Timing: when sounds begin and end, and the gaps from onset to onset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from reward.families.base import Family, Number, Scene, constant, of_gap
from reward.statements import Quantity

ONSET_SECONDS = 0.1
"""Where a sound begins: what "at 0.5 s" says."""


def gaps_of(scene: Scene) -> list[float]:
    """Seconds from each onset of the clip to the next."""
    return [b.start - a.start for a, b in pairwise(scene.measurement.events)]


def _gap(pick: Callable[[Sequence[float]], float]) -> Number:
    def found(scene: Scene) -> list[float] | None:
        gaps = gaps_of(scene)
        return [pick(gaps)] if gaps else None

    return Number(found, of_gap)


def _mean_gap(scene: Scene) -> list[float] | None:
    gaps, events = gaps_of(scene), scene.measurement.events
    if not gaps:
        return None
    # Between two sounds "the gap" may also be the silence; in a train it is from onset to onset.
    return [sum(gaps) / len(gaps)] if len(gaps) > 1 else [gaps[0], events[1].start - events[0].end]


FAMILY = Family(
    "timing",
    numbers={
        Quantity.ONSET: Number(lambda scene: [e.start for e in scene.events], constant(ONSET_SECONDS)),
        Quantity.OFFSET: Number(lambda scene: [e.end for e in scene.events], constant(ONSET_SECONDS)),
        Quantity.GAP: Number(_mean_gap, of_gap),
        Quantity.GAP_FIRST: _gap(lambda gaps: gaps[0]),
        Quantity.GAP_LAST: _gap(lambda gaps: gaps[-1]),
        Quantity.GAP_SHORTEST: _gap(min),
        Quantity.GAP_LONGEST: _gap(max),
    },
)
