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
FRAME_SAMPLES = round(PERIOD_MS / 1000 * SAMPLE_RATE)
"""Samples between F0 frames."""
PIECE_FRAMES = 1_400
"""Frames (7 s) that DIO gets at a time. It transforms all of them at once: with both margins in 2^16 points, and twice
as many, which leave the processor's cache, take four times as long."""
MARGIN_FRAMES = 100
"""Frames (0.5 s) on either side that a piece is given beside its own: its F0 is tracked from there."""
CHANNELS = 1.5
"""DIO's filters an octave: with one it loses some squares, with two it takes a third longer."""
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
NEAR_SECONDS = 0.1
"""Two steps of F0 that are nearer to each other are one."""
RUN_FRAMES = 12
"""Frames (60 ms) of a vowel."""
SMOOTH_SHARE = 0.9
"""Least share of small steps in a glide."""
FEW = 6
"""Frames (30 ms) that tell an end of a plateau."""
NOTE_FRAMES = 24
"""Frames (120 ms) for which a played note stays where it is, give or take its vibrato."""
PLAYED_SHARE = 0.5
"""Least share of such notes in what is played; in speech hardly a syllable has one."""
GLIDE_STEP_OCTAVES = 0.0008
"""Least median step of a glide: two semitones a second; the F0 of a steady tone moves by a tenth of it."""


def measure_pitch(samples: Samples) -> Contour:
    """F0 contour; NaN where DIO finds none. Noise gives stray frames: ask `events` whether a sound has a pitch."""
    frames = int(len(samples) / SAMPLE_RATE * 1000 / PERIOD_MS) + 1
    f0 = np.zeros(frames)
    for first in range(0, frames, PIECE_FRAMES):
        begin = max(0, first - MARGIN_FRAMES)
        last = min(frames, first + PIECE_FRAMES)
        piece = _f0(samples[begin * FRAME_SAMPLES : (last + MARGIN_FRAMES) * FRAME_SAMPLES])
        f0[first:last] = piece[first - begin : last - begin]
    return Contour(np.arange(frames) * PERIOD_MS / 1000, np.where(f0 > 0, f0, np.nan))


def _f0(samples: Samples) -> Frames:
    x = samples.astype(np.float64)
    coarse, times = pyworld.dio(
        x,
        SAMPLE_RATE,
        f0_floor=FLOOR_HZ,
        f0_ceil=CEILING_HZ,
        channels_in_octave=CHANNELS,
        frame_period=PERIOD_MS,
        speed=DECIMATION,
    )
    refined = pyworld.stonemask(x, coarse, times, SAMPLE_RATE)
    return np.asarray(np.where(coarse > REFINED_HZ, coarse, refined))


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


def steps_of(pitch: Contour, start: float, end: float) -> list[tuple[float, bool]]:
    """Seconds at which the F0 between `start` and `end` has moved to another plateau, a semitone or more away, and
    whether that is an octave or more off: there the tracker may have taken a partial for F0."""
    steps = _steps(pitch, _plateaus(pitch, start, end, RUN_FRAMES))
    middles = [[float(np.median(np.log2(pitch.values[run]))) for run in runs] for runs in steps]
    far = [abs(after - before) > 1 - JUMP_OCTAVES for before, after in middles]
    return [(float(pitch.times[there[0]]), octave) for (_, there), octave in zip(steps, far, strict=True)]


def notes_after(pitch: Contour, start: float, end: float) -> list[float]:
    """Seconds at which the second and later notes of a row begin between `start` and `end`; [] where none is played.

    The F0 of a note that begins softly while the one before fades does not jump: it is lost and found again.
    """
    plateaus = [run for run in _plateaus(pitch, start, end, NOTE_FRAMES) if _stays(pitch.values[run])]
    frames = np.count_nonzero((pitch.times >= start) & (pitch.times <= end))
    if sum(len(run) for run in plateaus) < PLAYED_SHARE * frames:
        return []
    return [float(pitch.times[here[-1]] + pitch.times[there[0]]) / 2 for here, there in _steps(pitch, plateaus)]


def _plateaus(pitch: Contour, start: float, end: float, shortest: int) -> list[np.ndarray]:
    """Runs of at least so many frames between `start` and `end` in which F0 stays within a semitone."""
    places = np.flatnonzero((pitch.times >= start) & (pitch.times <= end))
    octaves = np.log2(pitch.values[places])
    breaks = np.flatnonzero(~(np.abs(np.diff(octaves)) <= STABLE_OCTAVES / 2)) + 1
    runs = [run for run in np.split(np.arange(len(places)), breaks) if len(run) >= shortest]
    return [places[run] for run in runs if np.ptp(octaves[run]) < JUMP_OCTAVES]


def _steps(pitch: Contour, plateaus: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Neighbours that are a semitone or more apart."""
    middles = [float(np.median(np.log2(pitch.values[run]))) for run in plateaus]
    pairs = zip(pairwise(plateaus), pairwise(middles), strict=True)
    return [runs for runs, (low, high) in pairs if abs(high - low) > JUMP_OCTAVES]


def _stays(frames: Frames) -> bool:
    """Whether these F0 frames end where they begin: a glide that is lost for a moment is no row of notes."""
    return abs(float(np.log2(np.median(frames[-FEW:]) / np.median(frames[:FEW])))) <= STABLE_OCTAVES


def wanders(pitch: Contour, start: float, end: float) -> bool:
    """True if most of the F0 between `start` and `end` seconds moves on by more than a semitone, as in speech."""
    octaves = np.log2(pitch.values[(pitch.times >= start) & (pitch.times <= end)])
    breaks = ~np.isfinite(octaves[1:] - octaves[:-1]) | (np.abs(np.diff(octaves)) > STABLE_OCTAVES)
    edges = np.concatenate(([0], np.flatnonzero(breaks) + 1, [len(octaves)]))
    long = np.flatnonzero(np.diff(edges) >= RUN_FRAMES)  # np.split makes an array of each frame without F0
    runs = [octaves[edges[index] : edges[index + 1]] for index in long]
    moving = sum(len(run) for run in runs if np.ptp(run) > JUMP_OCTAVES)
    return moving > sum(len(run) for run in runs) / 2


def split_at_jumps(pitch: Contour, start: float, end: float) -> list[tuple[float, float]]:
    """(start, end) of the tones in a stretch, cut where F0 goes from one steady value to another."""
    inside = np.flatnonzero((pitch.times > start) & (pitch.times < end))
    cuts: list[float] = []
    if len(inside) > 2 * STABLE_FRAMES + 3:
        octaves = np.log2(pitch.values[inside])
        windows = np.lib.stride_tricks.sliding_window_view(octaves, STABLE_FRAMES)  # NaN makes a window unsteady
        steady = windows.max(axis=1) - windows.min(axis=1) < STABLE_OCTAVES
        means = windows.mean(axis=1)
        before, after = slice(None, len(means) - STABLE_FRAMES - 3), slice(STABLE_FRAMES + 3, None)
        jumps = steady[before] & steady[after] & (np.abs(means[after] - means[before]) > JUMP_OCTAVES)
        position = 0
        for jump in np.flatnonzero(jumps).tolist():
            if jump >= position:
                cuts.append(float(pitch.times[inside[jump + STABLE_FRAMES + 1]]))
                position = jump + STABLE_FRAMES + 1
    notes = [time for time in notes_after(pitch, start, end) if all(abs(time - cut) > NEAR_SECONDS for cut in cuts)]
    return list(pairwise([start, *sorted(cuts + notes), end]))
