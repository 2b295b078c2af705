"""What decides an answer, taken out of its clip: the control whose sounds are there and tell nothing.

What is left does not say more either: where time decides, all clips have one length.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from earwitness.audio import SAMPLE_RATE
from earwitness.probe.sound import Rng, Wave, unit_power

Property = Literal["pitch", "time", "level"]
"""Pitch and timbre; onsets and lengths; how loud sounds are beside each other."""

SMOOTH_SECONDS = 0.01
"""Window over which an envelope is taken: longer than a period of the lowest pitch, shorter than any sound."""
STEADY_SECONDS = 1.0
"""Length of a clip without time."""
GAP_SECONDS = 0.02
"""Silence that parts two sounds; the rests of the probe are three times as long."""


def without(rng: Rng, wave: Wave, decisive: Property) -> Wave:
    """A clip `[samples]` like `wave` `[samples]`, both before the room, without the property."""
    removed: Wave = REMOVE[decisive](rng, wave).astype(np.float32)
    return removed


def without_pitch(rng: Rng, wave: Wave) -> Wave:
    """White noise with the envelope of the clip."""
    carrier: Wave = rng.standard_normal(len(wave))
    return rms_around(wave) * carrier


def without_time(rng: Rng, wave: Wave) -> Wave:
    """Steady sound of one length with the long-term spectrum of the clip: its phases are drawn anew."""
    samples = round(STEADY_SECONDS * SAMPLE_RATE)
    heard = np.abs(np.fft.rfft(wave, max(samples, len(wave))))
    at = np.linspace(0, len(heard) - 1, samples // 2 + 1)
    turned = np.exp(2j * np.pi * rng.random(len(at)))
    sound: Wave = np.fft.irfft(np.interp(at, np.arange(len(heard)), heard) * turned, samples)
    return unit_power(sound / np.maximum(rms_around(sound), 1e-9))  # few partials would beat as beeps do


def without_level(rng: Rng, wave: Wave) -> Wave:
    """The same sounds, each with a root mean square of 1."""
    sounding = np.flatnonzero(wave)
    parts = np.split(sounding, np.flatnonzero(np.diff(sounding) > GAP_SECONDS * SAMPLE_RATE) + 1)
    even = np.zeros_like(wave)
    for part in parts:
        sound = slice(part[0], part[-1] + 1)
        even[sound] = unit_power(wave[sound])
    return even


def rms_around(wave: Wave) -> Wave:
    """Root mean square over `SMOOTH_SECONDS` around each sample, `[samples]`."""
    window = round(SMOOTH_SECONDS * SAMPLE_RATE)
    power = np.convolve(np.square(wave), np.ones(window) / window, mode="same")
    smooth: Wave = np.sqrt(np.maximum(power, 0.0))
    return smooth


REMOVE: dict[Property, Callable[[Rng, Wave], Wave]] = {
    "pitch": without_pitch,
    "time": without_time,
    "level": without_level,
}
