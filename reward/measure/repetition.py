"""Does a pattern of events come again? The shortest one that accounts for the events is taken."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reward.measure.facts import Event, Repetition

PITCH_SEMITONES = 1.0
"""Two events of a pattern may differ by so much in pitch: the error of the measurement and a little more."""
CENTROID_OCTAVES = 0.4
"""In brightness, where neither has a pitch: bursts of noise differ by chance."""
LEVEL_DB = 3.0
"""In level."""
DURATION = 0.35
"""In length, as a share; decays end where the background begins."""
GAP = 0.15
"""In the time to the next onset, as a share."""
GAP_SECONDS = 0.03
"""Least difference of such times: two onsets of 15 ms error."""
ALIKE = 0.85
"""Least share of events like those one pattern later for a repetition."""
UNLIKE = 0.6
"""At most this share alike for "nothing repeats"; in between it cannot be told."""
MAX_PATTERN = 32
"""Events of the longest pattern looked for: two of them and more do not fit ten minutes of memory."""


def find_repetition(events: Sequence[Event]) -> Repetition | bool:
    """The repetition of `events`; False if nothing repeats, True if something may."""
    best = 0.0
    for length in range(1, min(len(events) // 2, MAX_PATTERN) + 1):
        share = _alike(events, length)
        best = max(best, share)
        if share >= ALIKE:
            times = len(events) // length
            seconds = (events[(times - 1) * length].start - events[0].start) / (times - 1)
            return Repetition(times, seconds, length)
    return best > UNLIKE


def _alike(events: Sequence[Event], length: int) -> float:
    """Share of the events that are like the one `length` events later, in itself and in its distance to the next."""
    pairs = len(events) - length
    alike = 0
    for index in range(pairs):
        here, there = events[index], events[index + length]
        same_gap = True
        if index + length + 1 < len(events):
            gap = events[index + 1].start - here.start
            later = events[index + length + 1].start - there.start
            same_gap = abs(gap - later) <= max(GAP * gap, GAP_SECONDS)
        alike += same_gap and _same_sound(here, there)
    return alike / pairs


def _same_sound(one: Event, other: Event) -> bool:
    if abs(one.level - other.level) > LEVEL_DB or abs(math.log(one.duration / other.duration)) > DURATION:
        return False
    if one.pitch is not None and other.pitch is not None and one.pitch_sure and other.pitch_sure:
        return 12 * abs(math.log2(one.pitch / other.pitch)) <= PITCH_SEMITONES
    tones = [event.one_tone for event in (one, other)]  # of what is hardly one, now there is a pitch and now none
    if (any(tones) and not all(tones)) or min(one.centroid, other.centroid) <= 0:
        return False
    return abs(math.log2(one.centroid / other.centroid)) <= CENTROID_OCTAVES
