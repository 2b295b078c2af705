"""F0 by WORLD's DIO and StoneMask, and where it jumps.

DIO needs about 4 ms for a second of sound and gets pure tones, squares and sawtooths in noise right; HARVEST takes
many times as long and loses pure tones above 800 Hz.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyworld

from earwitness.audio import SAMPLE_RATE
from reward.measure.facts import Contour, Frames, Samples

FLOOR_HZ = 55.0
"""Lowest F0: below the lowest voice; DIO's windows grow with its period."""
CEILING_HZ = 2400.0
"""Highest F0: above it a pitch is still heard up to 4-5 kHz, but two partials hardly fit below 8 kHz."""
PERIOD_MS = 5.0
"""Milliseconds between F0 frames."""
DECIMATION = 2
"""DIO looks for F0 at 8 kHz: four times as fast, and equally exact up to the ceiling (StoneMask refines at 16 kHz)."""
REFINED_HZ = SAMPLE_RATE / 12
"""StoneMask gives no F0 from here (1333 Hz) on; DIO's own is within 0.5 % there, having many periods in a frame."""
JUMP_OCTAVES = 1 / 12
"""A step of one semitone within 15 ms is a new tone; the fastest glide (2 octaves/s) moves a third of that."""
STABLE_OCTAVES = 0.03
"""Largest range of F0 on either side of a jump, over STABLE_FRAMES: a wobble is not a jump."""
STABLE_FRAMES = 6
"""Frames (30 ms) on either side of a jump."""


def measure_pitch(samples: Samples) -> Contour:
    """F0 contour; NaN where DIO finds none. Noise gives stray frames: ask `events` whether a sound has a pitch."""
    x = samples.astype(np.float64)
    coarse, times = pyworld.dio(
        x, SAMPLE_RATE, f0_floor=FLOOR_HZ, f0_ceil=CEILING_HZ, frame_period=PERIOD_MS, speed=DECIMATION
    )
    refined = pyworld.stonemask(x, coarse, times, SAMPLE_RATE)
    f0 = np.where(coarse > REFINED_HZ, coarse, refined)
    return Contour(times, np.where(f0 > 0, f0, np.nan))


def split_at_jumps(pitch: Contour, start: float, end: float) -> list[tuple[float, float]]:
    """(start, end) of the tones in a stretch, cut where F0 jumps from one steady value to another."""
    inside = np.flatnonzero((pitch.times > start) & (pitch.times < end))
    cuts: list[float] = []
    if len(inside) > 2 * STABLE_FRAMES + 3:
        octaves = np.log2(pitch.values[inside])
        position = STABLE_FRAMES
        while position < len(octaves) - STABLE_FRAMES - 3:
            before, after = octaves[position - STABLE_FRAMES : position], octaves[position + 3 :][:STABLE_FRAMES]
            if _steady(before) and _steady(after) and abs(float(np.mean(after) - np.mean(before))) > JUMP_OCTAVES:
                cuts.append(float(pitch.times[inside[position + 1]]))
                position += STABLE_FRAMES
            position += 1
    edges = [start, *cuts, end]
    return list(pairwise(edges))


def _steady(octaves: Frames) -> bool:
    return bool(np.isfinite(octaves).all()) and float(np.ptp(octaves)) < STABLE_OCTAVES
