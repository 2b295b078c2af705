"""Level over time, and the stretches that stand out from the background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from earwitness.audio import SAMPLE_RATE
from reward.measure.facts import Frames, Samples
from reward.runs import runs_of

HOP = 40
"""Samples between level frames (2.5 ms): a tenth of the shortest gap that the ear hears between clicks in a train."""
WINDOW = 160
"""Samples of a level frame (10 ms): one period of 100 Hz, so that a low tone does not ripple."""
SILENT_DB = -75.0
"""Level below which nothing is an event: 16-bit dither lies near -96 dBFS, a quiet room recording near -70."""
MARGIN_DB = 6.0
"""Least step above the background: frames of white noise stay within 2 dB of it."""
MARGIN_SHARE = 0.4
"""Share of the clip's dynamic range that an event must stand out by, so that decays do not count as events."""
MARGIN_MOST_DB = 10.0
"""Largest step asked for, so that an event 12 dB below the loudest is found at 25 dB signal-to-noise ratio."""
EDGE_DB = 40.0
"""An event begins and ends in the background, or where it is this far below its own peak."""
HARDLY_DB = 15.0
"""A softest tenth so far above the softest moments is no background but what rings on, if those are of a room; beside
digital silence, which may have been put there, only if it is less than this below the loudest, too."""
SHORTEST_SECONDS = 0.012
"""Shorter stretches are clicks of the background."""
SHORTEST_GAP_SECONDS = 0.018
"""Shorter dips are part of the event."""
WINDOW_REACH_SECONDS = 0.003
"""How far outside an event its edge is found, because the window reaches into it; taken off again."""


@dataclass(frozen=True)
class Levels:
    """Level frames and what they say of the background."""

    times: Frames
    """Middle of each frame, seconds."""
    db: Frames
    """RMS, dBFS."""
    background: float
    """dBFS."""
    threshold: float
    """dBFS above which an event is assumed."""
    narrow: bool
    """Whether there is hardly a quiet moment."""
    rise: float
    """Seconds at which something is first heard, if only a hum."""


def measure_levels(samples: Samples) -> Levels:
    """Level frames of `samples`."""
    power = np.square(samples, dtype=np.float64)
    half = WINDOW // 2
    total = np.concatenate([np.zeros(1), np.cumsum(np.pad(power, half))])
    starts = np.arange(0, len(samples), HOP)
    mean = (total[starts + 2 * half] - total[starts]) / WINDOW
    # A window that sticks out at the ends of the clip holds fewer samples.
    held = np.minimum(starts + half, len(samples)) - np.maximum(starts - half, 0)
    db = 10 * np.log10(np.maximum(mean * WINDOW / held, 1e-12))
    softest, background, loudest = (float(value) for value in np.percentile(db, [2, 10, 99.5]))
    if background - softest > HARDLY_DB and (loudest - background < HARDLY_DB or softest > SILENT_DB):
        background = softest
    # Digital silence between events would make the dynamic range endless.
    floor = max(background, loudest - 60.0)
    step = min(max(MARGIN_DB, MARGIN_SHARE * (loudest - floor)), MARGIN_MOST_DB)
    threshold = floor + step
    if loudest - floor < MARGIN_DB:  # one sound fills the clip, or nothing is there
        threshold = floor - MARGIN_DB
    first = int(np.argmax(db > max(softest + MARGIN_MOST_DB, SILENT_DB))) * HOP / SAMPLE_RATE
    return Levels(
        starts / SAMPLE_RATE, db, background, max(threshold, SILENT_DB), loudest - background < HARDLY_DB, first
    )


def find_stretches(levels: Levels) -> list[tuple[float, float]]:
    """(start, end) in seconds of every stretch that stands out, in order."""
    loud = levels.db > levels.threshold
    runs = _merge(runs_of(loud), round(SHORTEST_GAP_SECONDS * SAMPLE_RATE / HOP))
    shortest = round(SHORTEST_SECONDS * SAMPLE_RATE / HOP)
    runs = [(a, b) for a, b in runs if b - a >= shortest]
    stretches = []
    frame = HOP / SAMPLE_RATE
    for index, (a, b) in enumerate(runs):
        low = runs[index - 1][1] if index else 0
        high = runs[index + 1][0] if index + 1 < len(runs) else len(loud)
        edge = max(float(levels.db[a:b].max()) - EDGE_DB, min(levels.threshold, levels.background + MARGIN_DB))
        inside = np.flatnonzero(levels.db[a:b] > edge)
        first, last = a + int(inside[0]), a + int(inside[-1])
        while first > low and levels.db[first - 1] > edge:
            first -= 1
        while last + 1 < high and levels.db[last + 1] > edge:
            last += 1
        start = 0.0 if first == 0 else first * frame + WINDOW_REACH_SECONDS
        end = len(loud) * frame if last + 1 == len(loud) else last * frame - WINDOW_REACH_SECONDS
        stretches.append((start, max(end, start + frame)))
    return stretches


def rms_db(samples: Samples, background: float) -> float:
    """RMS of `samples` in dBFS after the background's power (`background` dBFS) is taken out."""
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return 10 * float(np.log10(max(power - 10 ** (background / 10), power * 1e-2, 1e-12)))


def _merge(runs: list[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for a, b in runs:
        if merged and a - merged[-1][1] < gap:
            merged[-1] = (merged[-1][0], b)
        else:
            merged.append((a, b))
    return merged
