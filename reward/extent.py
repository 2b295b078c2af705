"""When, in a clip, what a claim speaks of is heard."""

from __future__ import annotations

from reward.families import NUMBERS
from reward.families.base import parts
from reward.measure import Event, Measurement
from reward.statements import Bound, Not, Span, Statement, Value


def extent(statement: Statement, measurement: Measurement) -> tuple[float, float]:
    """The time that a statement speaks of, seconds; the whole clip where it names no part, or one that is not there."""
    inner = statement.statement if isinstance(statement, Not) else statement
    part = getattr(inner, "part", None)
    if isinstance(part, Span):
        return part.seconds(measurement.duration)
    events: list[Event] = parts(measurement, part) if part is not None else []
    if isinstance(inner, Value | Bound) and not NUMBERS[inner.quantity].of_events:
        events = []
    if not events:
        return 0.0, measurement.duration
    return events[0].start, events[-1].end
