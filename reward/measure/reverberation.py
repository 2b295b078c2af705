"""Reverberation: how long sound goes on after its source has stopped.

In a room no sound falls faster than the room lets it (Schroeder 1965, "New method of measuring reverberation time";
blind, from the falls of running sound: Ratnam et al. 2003, "Blind estimation of reverberation time"). So one fast fall
proves that there is no long reverberation, while one slow fall proves nothing: a cymbal rings as long as a hall. A tail
tells the time where it is noise, straight in dB, and the sound held its level before: then it is not its own decay.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.ndimage import uniform_filter1d

from earwitness.audio import SAMPLE_RATE
from reward.measure.facts import Event, Frames, Reverberation, Samples
from reward.measure.spectrum import band_powers

HOP, FRAME = 80, 256
"""Samples between frames (5 ms), and of a frame (16 ms)."""
_EDGES = np.array([4, 8, 16, 32, 64, 112])
"""First bins of the bands: octaves from 250 Hz to 4 kHz, and 4 to 7 kHz. In lower ones a room has too few modes."""
SMOOTH_FRAMES = 5
"""Levels are means over 25 ms."""
SOUNDING_DB = 30.0
"""A band that never comes so near the loudest is not looked at."""
START_DB = 5.0
"""A fall begins so far below the peak."""
HELD_DB, HELD_SECONDS = 10.0, 0.05
"""A sound held its level if it was so near its peak for so long before."""
ABOVE_DB = 6.0
"""A fall ends so far above the background of its band."""
RISE_DB = 4.0
"""It ends where something new sounds: so far above its lowest level yet."""
LEAST_DB = 15.0
"""A tail goes on for so much."""
FAST_DB = 25.0
"""How fast a sound falls is told from so much: beside a microphone the room is heard only far down."""
STRAIGHT_DB = 2.0
"""Standard deviation about a straight line: noise fluctuates by 1 dB in the narrowest band."""
BEND = 1.6
"""The halves of a straight tail fall at rates within this factor."""
AGREE = 1.5
"""Tails of one room agree within this factor, and no sound falls faster than so much of them."""
BANDS = 2
"""Bands of an event that must tell a tail: partials decay in one, a room in all that sound."""


@dataclass(frozen=True)
class _Fall:
    """The end of a sound in one band."""

    rate: float | None
    """Seconds for 60 dB at the rate of its first FAST_DB; None where it does not go on so far."""
    tail: float | None
    """Seconds for 60 dB if it is a tail that a room leaves."""


def measure_reverberation(samples: Samples, events: tuple[Event, ...]) -> Reverberation:
    """What the ends of `events` tell of the room around them; about 3 ms for ten seconds."""
    levels = _levels(samples)
    quiet, loudest = np.percentile(levels, 5, axis=0), float(levels.max(initial=-120.0))
    starts = [round(event.start * SAMPLE_RATE / HOP) for event in events] + [len(levels)]
    rates, tails = [], []
    for first, last in pairwise(starts):
        falls = [
            _fall(band, floor)
            for band, floor in zip(levels[first:last].T, quiet, strict=True)
            if len(band) and band.max() > max(loudest - SOUNDING_DB, floor + ABOVE_DB)
        ]
        rates += _median([fall.rate for fall in falls], 1)
        tails += _median([fall.tail for fall in falls], BANDS)
    fastest = min(rates, default=None)
    if not tails:
        return Reverberation(None, fastest)
    seconds = float(np.median(tails))
    alone = max(tails) > AGREE * seconds or min(tails) * AGREE < seconds
    refuted = fastest is not None and fastest * AGREE < seconds
    return Reverberation(None if alone or refuted else seconds, fastest)


def _median(values: list[float | None], least: int) -> list[float]:
    """[median] of those that are not None if there are `least`, else []."""
    known = [value for value in values if value is not None]
    return [float(np.median(known))] if len(known) >= least else []


def _levels(samples: Samples) -> Frames:
    """dB of every band `[frames, bands]`; frame i is at i * HOP samples."""
    power = band_powers(samples, FRAME, HOP, _EDGES).astype(np.float64)
    return 10 * np.log10(uniform_filter1d(power, SMOOTH_FRAMES, axis=0) + 1e-12)


def _fall(level: Frames, quiet: float) -> _Fall:
    """The last fall of `level` `[frames]`, dB, which ends in a background of `quiet` dB."""
    peak = int(level.argmax())
    lowest = np.minimum.accumulate(level[peak:])
    ends = np.flatnonzero((level[peak:] < quiet + ABOVE_DB) | (level[peak:] > lowest + RISE_DB))
    end = peak + (int(ends[0]) if len(ends) else len(level) - peak)
    start = peak + int(np.flatnonzero(level[peak:end] >= level[peak] - START_DB)[-1])
    fall = level[start:end]
    return _Fall(_rate(fall), _tail(fall) if _held(level, start) else None)


def _rate(fall: Frames) -> float | None:
    below = np.flatnonzero(fall <= fall[0] - FAST_DB)
    return max(int(below[0]), 1) * HOP / SAMPLE_RATE * 60 / FAST_DB if len(below) else None


def _held(level: Frames, start: int) -> bool:
    """Whether the sound went on at its level before `start`, and was not falling already."""
    near = level[: start + 1] >= level[: start + 1].max() - HELD_DB
    run = start - int(np.flatnonzero(~near)[-1]) if not near.all() else start + 1
    return run * HOP / SAMPLE_RATE >= HELD_SECONDS and start - int(level[: start + 1].argmax()) < run / 2


def _tail(fall: Frames) -> float | None:
    """Seconds for 60 dB of a straight fall."""
    if len(fall) < 8 or fall[0] - fall[-1] < LEAST_DB:
        return None
    times = np.arange(len(fall)) * HOP / SAMPLE_RATE
    slope, offset = np.polyfit(times, fall, 1)
    half = len(fall) // 2
    first, second = np.polyfit(times[:half], fall[:half], 1)[0], np.polyfit(times[half:], fall[half:], 1)[0]
    straight = np.std(fall - slope * times - offset) <= STRAIGHT_DB
    if not straight or max(first, second) >= 0 or not 1 / BEND <= first / second <= BEND:
        return None
    return float(-60 / slope)
