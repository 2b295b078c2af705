"""The sounds of a clip, one by one, with level, pitch and timbre."""

from __future__ import annotations

import numpy as np

from earwitness.audio import SAMPLE_RATE
from reward.measure.facts import Contour, Event, Frames, Samples
from reward.measure.level import Levels, find_stretches, rms_db
from reward.measure.pitch import split_at_jumps
from reward.measure.spectrum import NO_OVERTONES, Partials, centroid_and_bandwidth, measure_partials, periodicity

EDGE_SECONDS = 0.006
"""Left out at both ends of an event, where it fades in and out."""
VOICED_SHARE = 0.6
"""Least share of frames with an F0 for an event to have a pitch: noise has a few stray ones."""
PERIODIC = 0.6
"""Least periodicity for an event to have a pitch: that of a tone 2 dB above its noise."""
NOISY = 0.4
"""Below this periodicity an event without a pitch is noise."""
SQUARE_THIRD = 0.2
"""Third partial that parts a square (1/3) from a triangle (1/9), in between on a log scale."""
ODD_ONLY = 0.1
"""Largest even share of a sound with odd partials only; a sawtooth has 0.64."""
ALL_PARTIALS = 0.3
"""Least even share of a sound with all partials."""
FIT_POINTS = 5
"""Fewest F0 frames for a curve through them."""


def find_events(samples: Samples, levels: Levels, pitch: Contour) -> tuple[Event, ...]:
    """Every event of `samples`, in order."""
    tones = [t for start, end in find_stretches(levels) for t in split_at_jumps(pitch, start, end)]
    return tuple(_event(samples, levels, pitch, start, end) for start, end in tones)


def _event(samples: Samples, levels: Levels, pitch: Contour, start: float, end: float) -> Event:
    trim = min(EDGE_SECONDS, (end - start) / 4)
    inner = samples[int((start + trim) * SAMPLE_RATE) : int((end - trim) * SAMPLE_RATE)]
    quarter = max(1, len(inner) // 4)
    # Where one sound fills the clip, the "background" is that sound.
    quiet = min(levels.background, rms_db(inner, -120.0) - 6.0)
    f0, times = _voiced(pitch, start + trim, end - trim)
    repeats = periodicity(inner, f0) if len(f0) else 0.0
    pitched = len(f0) > 0 and repeats >= PERIODIC
    partials = measure_partials(inner, f0) if pitched else None
    centroid, bandwidth = centroid_and_bandwidth(inner, quiet)
    begin_hz, end_hz = _ends(f0, times, start, end) if pitched else (None, None)
    return Event(
        start=start,
        end=end,
        level=rms_db(inner, quiet),
        level_start=rms_db(inner[:quarter], quiet),
        level_end=rms_db(inner[-quarter:], quiet),
        pitch=float(np.median(f0)) if pitched else None,
        pitch_start=begin_hz,
        pitch_end=end_hz,
        harmonicity=repeats,
        overtones=partials.overtones if partials else None,
        even_share=partials.even_share if partials else None,
        third=partials.third if partials else None,
        centroid=centroid,
        bandwidth=bandwidth,
        wave=_wave(partials, pitched, repeats),
    )


def _voiced(pitch: Contour, start: float, end: float) -> tuple[Frames, Frames]:
    """F0 frames of an event and their times; empty if too few of its frames have an F0."""
    inside = (pitch.times >= start) & (pitch.times <= end)
    voiced = inside & np.isfinite(pitch.values)
    if not inside.any() or voiced.sum() < VOICED_SHARE * inside.sum():
        return np.zeros(0), np.zeros(0)
    return pitch.values[voiced], pitch.times[voiced]


def _ends(f0: Frames, times: Frames, start: float, end: float) -> tuple[float, float]:
    """F0 at both ends, Hz, by a parabola through the log-F0: the frames at the very ends are the least sure."""
    if len(f0) < FIT_POINTS:
        return float(f0[0]), float(f0[-1])
    octaves = np.log2(f0)
    keep = np.abs(octaves - _running_median(octaves)) < 0.1  # a stray octave error must not bend the curve
    middle = (start + end) / 2
    curve = np.polynomial.Polynomial.fit(times[keep] - middle, octaves[keep], 2)
    return float(2 ** curve(start - middle)), float(2 ** curve(end - middle))


def _running_median(values: Frames) -> Frames:
    padded = np.pad(values, 3, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, 7), axis=1)


def _wave(partials: Partials | None, pitched: bool, repeats: float) -> str:
    if not pitched:
        return "noise" if repeats < NOISY else "other"
    if partials is None:
        return "other"
    if partials.overtones <= NO_OVERTONES or partials.even_share is None:
        return "sine"
    if partials.even_share <= ODD_ONLY:
        return "square" if partials.third >= SQUARE_THIRD else "triangle"
    full = partials.even_share >= ALL_PARTIALS and partials.third >= SQUARE_THIRD
    return "sawtooth" if full else "other"
