"""How many sounds there are."""

from __future__ import annotations

from reward.families.base import BOUND_SECONDS, Counts, Family, Finding, events_in_words
from reward.families.stretches import onsets_in
from reward.measure import Measurement
from reward.statements import Count, Counted, Span


def _count(claim: Count, measurement: Measurement) -> Finding:
    if isinstance(claim.part, Span):
        counts = onsets_in(measurement, claim.part, BOUND_SECONDS)
        return Finding(claim.value in counts, events_in_words(max(counts)))
    count = len(measurement.events)
    if count == 1 and measurement.events[0].notes:  # "three tones" may be those of a chord
        notes = len(measurement.events[0].notes)
        return Finding(claim.value in (1, notes), f"1 event of {notes} notes")
    if count < claim.value <= count + measurement.doubtful:
        return Finding(None, f"{count} to {count + measurement.doubtful} events")
    return Finding(claim.value == count, events_in_words(count))


FAMILY = Family("count", counts={Counted.EVENTS: Counts(("event", "events"), _count)})
