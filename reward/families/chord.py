"""Chords: several notes at once, and how many."""

from __future__ import annotations

from reward.families.base import Counts, Family, Finding, Quality, no_such_part, parts, weights_of
from reward.families.said import MOST
from reward.families.timbre import waveform
from reward.measure import Event, Measurement
from reward.statements import Count, Counted


def _notes(event: Event) -> int:
    return len(event.notes) or int(event.pitch is not None)


def _count(claim: Count, measurement: Measurement) -> Finding:
    events = parts(measurement, claim.part)
    if not events:
        return no_such_part(measurement)
    words = ", ".join(f"{_notes(e)} at once" for e in events[:6])
    weights = weights_of(events)
    share = sum(w for w, e in zip(weights, events, strict=True) if _notes(e) == claim.value) / sum(weights)
    if share >= MOST:
        return Finding(True, words)
    perhaps = share > 0 or any(_perhaps(event, claim.value) for event in events)
    return Finding(None if perhaps else False, words)


def _perhaps(event: Event, notes: int) -> bool:
    """Whether there may be so many: one was missed, or several were taken for one sound without a clear pitch."""
    if event.notes:
        return not event.pitch_sure and abs(len(event.notes) - notes) <= 1
    return notes > 1 and not event.one_tone and len(event.peaks) >= notes


FAMILY = Family(
    "chord",
    tonal=True,
    qualities={"chord": Quality("several notes at once", lambda event: (bool(event.notes), waveform(event)))},
    counts={Counted.NOTES: Counts(("note", "notes at once"), _count)},
)
