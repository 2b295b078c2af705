"""How many sounds there are, and which of two clips has more of them."""

from __future__ import annotations

import math
from collections.abc import Callable

from reward.families.base import (
    BOUND_SECONDS,
    Compared,
    Counts,
    Family,
    Finding,
    Number,
    Words,
    events_in_words,
    share_of,
)
from reward.families.joined import joined
from reward.families.stretches import events_in, onsets_in
from reward.measure import Event, Measurement
from reward.statements import Comparison, Count, Counted, Part, Quantity, Relation, Span

ALIKE = 0.2
"""Densities that differ by less are alike: what ends a clip, and with it its length, is not sure."""
FADES_DB = 6.0
"""Notes at once that fade by more may be the partials of one stroke."""
ROOM = 2.0
"""Gaps from onset to onset that are room for one sound more."""
NOT_SURE = "which sounds are of which clip is not sure"


def counts_of(part: Part, measurement: Measurement) -> tuple[int, int] | None:
    """Fewest and most sounds that there may be in `part`; None if it is not sure which those are."""
    where = joined(measurement, part) if isinstance(part, int) else part
    if isinstance(part, int) and where is None:
        return None
    if isinstance(where, Span):
        counts = onsets_in(measurement, where, BOUND_SECONDS)
        return min(counts), max(counts)
    count = len(measurement.events)
    notes = max((len(event.notes) for event in measurement.events), default=0) if count == 1 else 0
    return count - measurement.unsure, max(measurement.most, count + len(measurement.doubtful), notes)


def _count(claim: Count, measurement: Measurement) -> Finding:
    part = joined(measurement, claim.part) if isinstance(claim.part, int) else claim.part
    if isinstance(claim.part, int) and part is None:
        return Finding(None, NOT_SURE)
    if isinstance(part, Span):
        counts = onsets_in(measurement, part, BOUND_SECONDS)
        return Finding(claim.value in counts, events_in_words(max(counts)))
    count = len(measurement.events)
    if count == 1 and claim.value == (
        notes := len(measurement.events[0].notes)
    ):  # may be those of a chord, or of a bell
        fades = measurement.events[0].level_start - measurement.events[0].level_end > FADES_DB
        return Finding(None if fades else True, f"1 event of {notes} notes")
    few, many = count - measurement.unsure, max(measurement.most, count + len(measurement.doubtful))
    if few <= claim.value <= many and (claim.value != count or few < count or _perhaps_two(measurement)):
        return Finding(None, f"{few} to {many} events")
    return Finding(claim.value == count, events_in_words(count))


def _perhaps_two(measurement: Measurement) -> bool:
    """Whether another sound may begin in one that is struck while others ring, and its note is not that of one: one
    lasts for a gap between others, or two."""
    unclear = [event for event in measurement.events if event.rings and not event.pitch_sure]
    longest = ROOM * min(measurement.rhythm.gaps) if measurement.rhythm else math.inf
    doubts = any(event.start < time < event.end for event in unclear for time in measurement.doubtful)
    return doubts or any(event.duration > longest for event in unclear)


def _density(events: list[Event]) -> float:
    """Sounds a second, from the first one's onset to the last one's end."""
    return len(events) / (events[-1].end - events[0].start) if events else 0.0


def _compared(words: Words, measure: Callable[[list[Event]], float], step: float) -> Compared:
    def related(claim: Comparison, one: list[Event], other: list[Event]) -> Finding:
        here, there = measure(one), measure(other)
        relation = Relation.MORE if here > there else Relation.LESS
        if abs(here - there) <= step * max(here, there):
            relation = Relation.SAME
        return Finding(claim.relation is relation, f"{here:.3g} and {there:.3g}")

    def check(claim: Comparison, measurement: Measurement) -> Finding:
        one, other = (
            joined(measurement, part) if isinstance(part, int) else None for part in (claim.part, claim.other)
        )
        if one is None or other is None or measurement.doubtful:
            return Finding(None, NOT_SURE)
        return related(claim, events_in(measurement, one), events_in(measurement, other))

    def of_clips(claim: Comparison, one: Measurement, other: Measurement) -> Finding:
        if one.doubtful or other.doubtful:
            return Finding(None, "there may be more sounds")
        return related(claim, list(one.events), list(other.events))

    return Compared(words, check=check, of_clips=of_clips)


FAMILY = Family(
    "count",
    numbers={
        Quantity.NUMBER: Number(lambda scene: [float(len(scene.events))], share_of(0.0), "sounds"),
        Quantity.DENSITY: Number(lambda scene: [_density(scene.events)], share_of(ALIKE), "sounds/s"),
    },
    compared={
        Quantity.NUMBER: _compared(("more", "fewer", "as many"), lambda events: float(len(events)), 0.0),
        Quantity.DENSITY: _compared(("denser", "sparser", "as dense"), _density, ALIKE),
    },
    counts={Counted.EVENTS: Counts(("event", "events"), _count)},
)
