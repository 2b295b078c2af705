"""What builds the clips of `real_scenes.py` and tells the truth of them; shares no code with the reward's measures."""

from __future__ import annotations

import numpy as np
import pyworld
from scipy.signal import resample_poly

from benchmarks.real_clips import Clips
from earwitness.audio import SAMPLE_RATE
from reward.measure.facts import Samples

AGREE = 0.03
"""Two tools that find one F0 differ by less."""
ENOUGH_SECONDS = 1.5
"""Of a sound for its F0: Harvest is slow."""
FADE_SECONDS = 0.02
"""Of what is cut off: no click."""


def seconds(samples: Samples) -> float:
    return len(samples) / SAMPLE_RATE


def gained(samples: Samples, db: float) -> Samples:
    return (samples * 10 ** (db / 20)).astype(np.float32)


def to_rms(samples: Samples, dbfs: float) -> Samples:
    """With an RMS of `dbfs`."""
    return gained(samples, dbfs - 10 * float(np.log10(np.mean(np.square(samples, dtype=np.float64)))))


def cut(samples: Samples, length: float) -> Samples:
    """The first `length` seconds, the end faded."""
    kept = samples[: int(length * SAMPLE_RATE)].copy()
    fade = min(len(kept), int(FADE_SECONDS * SAMPLE_RATE))
    kept[len(kept) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return kept


def place(length: float, parts: list[tuple[float, Samples]], background: Samples | None = None) -> Samples:
    """A clip of `length` seconds with each of `parts` (seconds, samples) added, over a background 60 dB below."""
    clip = np.zeros(int(length * SAMPLE_RATE), dtype=np.float32)
    for start, samples in parts:
        begin = int(start * SAMPLE_RATE)
        kept = samples[: len(clip) - begin]
        clip[begin : begin + len(kept)] += kept
    if background is not None:
        clip += to_rms(np.resize(background, len(clip)), -62.0)
    return (clip * min(1.0, 0.9 / float(np.abs(clip).max()))).astype(np.float32)


def shifted(samples: Samples, semitones: float) -> Samples:
    """Played faster or slower by that interval."""
    return np.asarray(resample_poly(samples, 1000, round(1000 * 2 ** (semitones / 12))), dtype=np.float32)


def agreed_pitch(samples: Samples, named: float | None = None) -> float | None:
    """F0, Hz, on which WORLD's Harvest and an autocorrelation agree (and `named`, up to the octave convention)."""
    f0, _ = pyworld.harvest(samples.astype(np.float64), SAMPLE_RATE, f0_floor=60.0, f0_ceil=1200.0)
    own = np.array(autocorrelation_pitch(samples))
    if (f0 > 0).sum() < 10 or len(own) < 5:
        return None
    one, other = float(np.median(f0[f0 > 0])), float(np.median(own))
    if abs(one / other - 1) > AGREE:
        return None
    return one if named is None or min(abs(one / named - 1), abs(2 * one / named - 1)) < AGREE else None


def autocorrelation_pitch(samples: Samples) -> list[float]:
    """F0 of the frames of 64 ms that repeat, by the first high peak of the normalised square difference (McLeod)."""
    found, size = [], 1024
    loudest = float(np.abs(samples).max())
    for begin in range(0, len(samples) - size, size // 2):
        x = samples[begin : begin + size].astype(np.float64)
        if np.abs(x).max() < 0.05 * loudest:
            continue
        spectrum = np.fft.rfft(x - x.mean(), 2 * size)
        r = np.fft.irfft(np.abs(spectrum) ** 2)[:size]
        squares = np.concatenate([[0.0], np.cumsum(x * x)])
        m = squares[size] - squares[:size] + squares[size - np.arange(size)]
        n = 2 * r / np.maximum(m, 1e-12)
        lags = np.arange(13, 267)
        peaks = lags[(n[lags] > n[lags - 1]) & (n[lags] >= n[lags + 1])]
        if not len(peaks) or n[peaks].max() < 0.85:
            continue
        lag = int(peaks[n[peaks] > 0.93 * n[peaks].max()][0])
        a, b, c = n[lag - 1 : lag + 2]
        found.append(SAMPLE_RATE / (lag + 0.5 * (a - c) / (a - 2 * b + c)))
    return found


def centroid(samples: Samples) -> float:
    """Spectral centroid of the whole, Hz."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    return float(np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE) @ power / power.sum())


def named_note(clips: Clips, instrument: str, key: int, length: float) -> tuple[Samples, float] | None:
    """A note and its F0, if two tools and its name agree."""
    samples = cut(clips.note(instrument, key), length)
    pitch = agreed_pitch(samples[: int(ENOUGH_SECONDS * SAMPLE_RATE)], 440 * 2 ** ((key - 69) / 12))
    return None if pitch is None or seconds(samples) < 0.25 else (samples, pitch)
