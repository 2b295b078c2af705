"""Silence, of the clip or of a stretch of it."""

from __future__ import annotations

from reward import tolerances as t
from reward.checks.finding import Finding, events_in_words
from reward.claims.facts import Part, Span
from reward.measure import Measurement


def check_silence(part: Part, measurement: Measurement) -> Finding:
    """Checks that nothing sounds in `part`, a stretch or None for the clip; its bounds may be a little off."""
    span = part if isinstance(part, Span) else Span(0.0, 1.0, share=True)
    start, end = span.seconds(measurement.duration)
    if isinstance(part, Span):
        start, end = start + t.BOUND_SECONDS, end - t.BOUND_SECONDS
    heard = [e for e in measurement.events if e.start < end and e.end > start]
    return Finding(not heard, events_in_words(len(heard)) if heard else "silence")
