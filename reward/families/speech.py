"""Speech: whether somebody speaks, by a recogniser of voice activity."""

from __future__ import annotations

from reward.families.base import BOUND_SECONDS, Family, Finding, Quality, no_such_part, parts
from reward.measure import Measurement
from reward.statements import Part, Span

MOST = 0.5
"""Of a stretch in which somebody is said to speak, so much is speech: there are pauses between words."""
LEAST_SECONDS = 0.6
"""Of a shorter stretch it is not contradicted: the network wants to hear a word or two."""
SPEECH = "speech"


def _speech(part: Part, measurement: Measurement) -> Finding:
    """Supported where speech is sure in most of a stretch, or anywhere in the clip; contradicted where none may be."""
    track = measurement.heard.track(SPEECH)
    if track is None:
        return Finding(None, "needs a recogniser of speech (the extra voice)")
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
    words = f"{seconds:.1f} of {max(0.0, end - start):.1f} s are speech"
    if len(there) == 0:
        return Finding(None, "too short to tell")
    if there.mean() >= MOST or (part is None and there.any()):
        return Finding(True, words)
    return Finding(None if perhaps.any() or end - start < LEAST_SECONDS else False, words)


FAMILY = Family("speech", qualities={SPEECH: Quality("speech", of_part=_speech)})
