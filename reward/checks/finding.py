"""What a check answers, and which events a part stands for."""

from __future__ import annotations

from dataclasses import dataclass

from reward import tolerances as t
from reward.checks.sections import events_in
from reward.claims.facts import Part, Relation, Span
from reward.measure import Event, Measurement


@dataclass(frozen=True)
class Finding:
    """Whether a statement holds (None: cannot be told on this clip) and what was measured, in words."""

    holds: bool | None
    measured: str
    matched: float | None = None
    """The measured value that a claimed one was compared with."""


def parts(measurement: Measurement, part: Part) -> list[Event]:
    """The events a part stands for: all of them for None, none if there are not so many."""
    events = list(measurement.events)
    if part is None:
        return events
    if isinstance(part, Span):
        return events_in(measurement, part)
    if part == -1:
        return events[-1:]
    return events[part - 1 : part]


def no_such_part(measurement: Measurement) -> Finding:
    """The finding on a sound that there is not."""
    return Finding(False, events_in_words(len(measurement.events)) if measurement.events else "silence")


def events_in_words(count: int) -> str:
    """ "3 events"."""
    return f"{count} event{'' if count == 1 else 's'}"


def holding(difference: float, step: float) -> set[Relation]:
    """The relations that may be said of a difference, given the least one that counts; near it two may."""
    relations = set()
    if abs(difference) < step * (1 + t.BORDER):
        relations.add(Relation.SAME)
    if abs(difference) > step * (1 - t.BORDER):
        relations.add(Relation.MORE if difference > 0 else Relation.LESS)
    return relations
