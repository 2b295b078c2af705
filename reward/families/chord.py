"""Chords: several notes at once, and how many."""

from __future__ import annotations

from reward.families.base import Counts, Family, Finding, Quality, no_such_part, parts, weights_of
from reward.families.said import MOST
from reward.families.timbre import waveform
from reward.measure import Event, Measurement
from reward.statements import Count, Counted

FADES_DB = 3.0
"""Of what fades by more, upper partials may be taken for a note, and notes for partials."""
FEW = 0.25
"""At most this share of what sounds may be so many notes where that is contradicted."""


def _notes(event: Event) -> int:
    return len(event.notes) or int(event.pitch is not None)


def _count(claim: Count, measurement: Measurement) -> Finding:
    events = parts(measurement, claim.part)
    if not events:
        return no_such_part(measurement)
    words = ", ".join(f"{_notes(e)} at once" for e in events[:6])
    weights = weights_of(events)
    so, perhaps = 0.0, 0.0
    for weight, event in zip(weights, events, strict=True):
        same = _notes(event) == claim.value
        so += weight * (same and event.pitch_sure)
        perhaps += weight * (same or _perhaps(event, claim.value))
    if so >= MOST * sum(weights):
        return Finding(True, words)
    return Finding(None if perhaps > FEW * sum(weights) else False, words)


def _perhaps(event: Event, notes: int) -> bool:
    """Whether there may be so many: one was missed, or several were taken for one sound without a clear pitch."""
    if event.notes:
        fades = event.level_start - event.level_end > FADES_DB
        if not event.pitch_sure and notes < len(event.notes):
            return True
        return (fades or not event.pitch_sure) and abs(len(event.notes) - notes) <= 1
    if notes == 1:
        return event.pitch is None and not event.pitch_sure
    return not event.one_tone and event.held >= max(notes, len(event.peaks) / 2)


def _chord(event: Event) -> tuple[bool | None, str]:
    """Whether several notes sound at once; of what is not sure it cannot be told."""
    holds: bool | None = bool(event.notes)
    if (holds and not event.pitch_sure) or (not holds and _perhaps(event, 2)):
        holds = None
    return holds, waveform(event)


FAMILY = Family(
    "chord",
    qualities={"chord": Quality("several notes at once", _chord)},
    counts={Counted.NOTES: Counts(("note", "notes at once"), _count)},
)
