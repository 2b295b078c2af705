"""Building blocks of probe clips: tones, bursts, pulses, and the room they sound in.

All functions take seconds, Hz and dB and return float32 mono at 16 kHz.
"""

from __future__ import annotations

import numpy as np

from earwitness.audio import SAMPLE_RATE

Rng = np.random.Generator
Wave = np.ndarray

EDGE_SECONDS = 0.008
"""Raised-cosine attack and release: short enough to be an onset, long enough not to click."""


def envelope(samples: int) -> Wave:
    """Amplitude 1 with raised-cosine edges, shape [samples]."""
    edge = min(int(EDGE_SECONDS * SAMPLE_RATE), samples // 2)
    shape = np.ones(samples, dtype=np.float32)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / max(edge, 1))
    shape[:edge] = ramp
    shape[samples - edge :] = ramp[::-1]
    return shape


def partials(phase: Wave, nyquist_ratio: float, timbre: str) -> Wave:
    """Band-limited wave of unit peak-ish amplitude from an instantaneous phase [samples].

    `nyquist_ratio` is Nyquist over the highest fundamental: partials above it would alias.
    """
    highest = max(1, min(12, int(nyquist_ratio)))
    if timbre == "sine":
        return np.sin(phase)
    if timbre == "soft":  # a little body, as most real tones have
        return np.sin(phase) + 0.25 * np.sin(2 * phase)
    step = 2 if timbre == "square" else 1
    total = np.zeros_like(phase)
    for k in range(1, highest + 1, step):
        total += np.sin(k * phase) / k
    return total


def tone(seconds: float, hz: float, timbre: str = "soft", end_hz: float | None = None) -> Wave:
    """A tone, or a glide that moves evenly in pitch (log frequency) to `end_hz`."""
    samples = round(seconds * SAMPLE_RATE)
    last = hz if end_hz is None else end_hz
    track = np.geomspace(hz, last, samples)
    phase = 2 * np.pi * np.cumsum(track) / SAMPLE_RATE
    wave = partials(phase, SAMPLE_RATE / 2 / max(hz, last), timbre)
    return (unit_power(wave) * envelope(samples)).astype(np.float32)


def noise(rng: Rng, seconds: float) -> Wave:
    """A burst of white noise."""
    samples = round(seconds * SAMPLE_RATE)
    return (unit_power(rng.standard_normal(samples)) * envelope(samples)).astype(np.float32)


def unit_power(wave: Wave) -> Wave:
    """Scaled to a root mean square of 1."""
    return wave / max(float(np.sqrt(np.mean(np.square(wave)))), 1e-9)


def gain(db: float) -> float:
    """Amplitude factor of a level."""
    return float(10.0 ** (db / 20.0))


def silence(seconds: float) -> Wave:
    """Nothing, for `seconds`."""
    return np.zeros(round(seconds * SAMPLE_RATE), dtype=np.float32)


def at_onsets(onsets: list[float], events: list[Wave], tail: float) -> Wave:
    """Events placed at their onsets (seconds), followed by `tail` seconds."""
    ends = [round(t * SAMPLE_RATE) + len(e) for t, e in zip(onsets, events, strict=True)]
    clip = silence(max(ends) / SAMPLE_RATE + tail)
    for onset, event in zip(onsets, events, strict=True):
        start = round(onset * SAMPLE_RATE)
        clip[start : start + len(event)] += event
    return clip


def in_a_room(rng: Rng, clip: Wave, level: float | None = None) -> Wave:
    """The clip at `level` dBFS while it sounds (None: at random, -30 to -14) over noise 28 to 42 dB below."""
    drawn, below = rng.uniform(-30.0, -14.0), rng.uniform(28.0, 42.0)
    room = clip + gain(-below) * rng.standard_normal(len(clip))
    return np.clip(gain(drawn if level is None else level) * room, -1.0, 1.0).astype(np.float32)
