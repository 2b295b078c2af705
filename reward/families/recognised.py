"""Whether something is heard in a part, by the track of a recogniser."""

from __future__ import annotations

from reward.families.base import BOUND_SECONDS, Finding, no_such_part, parts
from reward.measure import Measurement
from reward.statements import Part, Span


def told_of(label: str, words: str, part: Part, measurement: Measurement, most: float, least_seconds: float) -> Finding:
    """Supported where it is sure in `most` of a stretch, or anywhere in the clip; contradicted where it may be nowhere,
    of a stretch of `least_seconds`."""
    track = measurement.heard.track(label)
    if isinstance(part, Span):
        start, end = part.seconds(measurement.duration)
        start, end = start + BOUND_SECONDS, end - BOUND_SECONDS
    elif part is not None:
        events = parts(measurement, part)
        if not events:
            return no_such_part(measurement)
        start, end = events[0].start, events[-1].end
    else:
        start, end = 0.0, measurement.duration
    frames = track.frames(start, end)
    there, perhaps = track.there()[frames], track.perhaps()[frames]
    seconds = track.step * float(there.sum())
    measured = f"{seconds:.1f} of {max(0.0, end - start):.1f} s {words}"
    if len(there) == 0:
        return Finding(None, "too short to tell")
    if part is not None and track.reach:  # what is sure in it must not sound beside it alone
        there = track.there()[track.frames(start + track.reach, end - track.reach)]
    if there.any() and (part is None or there.mean() >= most):
        return Finding(True, measured)
    return Finding(None if perhaps.any() or end - start < least_seconds else False, measured)
