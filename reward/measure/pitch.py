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
STRAY_OCTAVES = 0.15
"""A step from one frame to the next that no voice makes."""
STRAY_FRAMES = 10
"""Frames (50 ms) at either end of a sound that may be stray."""
SMOOTH_SHARE = 0.9
"""Least share of small steps in a glide."""
GLIDE_STEP_OCTAVES = 0.0008
"""Least median step of a glide: two semitones a second; the F0 of a steady tone moves by a tenth of it."""


def measure_pitch(samples: Samples) -> Contour:
    """F0 contour; NaN where DIO finds none. Noise gives stray frames: ask `events` whether a sound has a pitch."""
    x = samples.astype(np.float64)
    coarse, times = pyworld.dio(
        x, SAMPLE_RATE, f0_floor=FLOOR_HZ, f0_ceil=CEILING_HZ, frame_period=PERIOD_MS, speed=DECIMATION
    )
    refined = pyworld.stonemask(x, coarse, times, SAMPLE_RATE)
    f0 = np.where(coarse > REFINED_HZ, coarse, refined)
    return Contour(times, np.where(f0 > 0, f0, np.nan))


def stray_ends(octaves: Frames) -> slice:
    """The frames of a sound's log-F0 between a jump close to its beginning and one close to its end.

    Where a sound fades in or out DIO takes the F0 of the background, or a part of it.
    """
    jumps = np.flatnonzero(np.abs(np.diff(octaves)) > STRAY_OCTAVES)
    near = min(STRAY_FRAMES, len(octaves) // 5)
    head, tail = jumps[jumps < near], jumps[jumps >= len(octaves) - 1 - near]
    return slice(int(head[-1]) + 1 if len(head) else 0, int(tail[0]) + 1 if len(tail) else len(octaves))


def is_glide(octaves: Frames) -> bool:
    """True if log-F0 frames move on smoothly by a semitone or more: one voice, not the notes of a chord in turn."""
    steps = np.abs(np.diff(octaves))
    if len(steps) < STABLE_FRAMES:
        return False
    low, high = np.percentile(octaves, [10, 90])
    smooth = float(np.mean(steps < STABLE_OCTAVES)) > SMOOTH_SHARE
    return bool(high - low > JUMP_OCTAVES) and smooth and float(np.median(steps)) > GLIDE_STEP_OCTAVES


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
