"""Two clips joined by silence: which sounds are of which."""

from __future__ import annotations

import math

from reward.measure import Measurement
from reward.statements import Span

LEAST_SECONDS = 0.2
"""A shorter silence joins no clips."""
CLEARLY = 1.3
"""The silence between the clips is so much longer than any other."""


def joined(measurement: Measurement, clip: int) -> Span | None:
    """Where the first or second clip is; None if no one silence is clearly the longest."""
    pauses = measurement.pauses
    if not pauses or clip not in (1, 2):
        return None
    longest = max(range(len(pauses)), key=lambda index: pauses[index])
    others = max((pause for index, pause in enumerate(pauses) if index != longest), default=0.0)
    if pauses[longest] < max(LEAST_SECONDS, CLEARLY * others):
        return None
    middle = measurement.events[longest].end + pauses[longest] / 2
    return Span(0.0, middle) if clip == 1 else Span(middle, math.inf)
