"""Spectral facts of one event: how periodic it is, its partials, centroid and bandwidth."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft  # keeps single precision

from earwitness.audio import SAMPLE_RATE
from reward.measure.facts import Contour, Frames, Samples

FRAME = 1024
"""Samples of one analysis frame (64 ms): ten periods of 150 Hz, and a glide moves little in it."""
PLACES = 3
"""Frames spread over an event."""
MOST_PLACES = 32
"""Frames of the centroid of a long event, one in 128 ms: what swells is brighter in one part than in another."""
TOP_HZ = 7600.0
"""Partials above it are touched by anti-aliasing filters."""
REPEAT_SAMPLES = 240
"""Least samples (15 ms) compared with those one period later: longer, and the end of a glide has left its F0."""
SHORT_PERIOD = 32.0
"""Samples of a period (500 Hz) below which several are looked ahead."""
MAX_PERIODS = 4
"""Most periods: in 8 ms even a fast glide moves little."""
CONTOUR_HOP = 256
"""Samples between frames of the centroid contour (16 ms)."""
CONTOUR_FRAME = 512
"""Samples of such a frame (32 ms): two periods of 60 Hz."""
BLOCK_SAMPLES = 1 << 19
"""Of the frames transformed at a time: all those of ten minutes would take 150 MB."""
HEARD_DB = 6.0
"""Frames less than this above the background have no centroid."""
MAX_PARTIALS = 16
"""More partials do not change a verdict."""


@dataclass(frozen=True)
class Partials:
    """Partials of a pitched event."""

    overtones: float
    """Energy of partials 2.. over partial 1."""
    even_share: float | None
    """Energy of even partials over partials 2..; None where there are none."""
    third: float
    """Amplitude of partial 3 over partial 1."""
    levels: tuple[float, ...]
    """Of partials 1, 2, ..., dB below the strongest."""


HIGH_TONE_HZ = (2_300.0, 5_000.0)
"""From the ceiling of the F0 tracker to the end of what is heard as a pitch."""
TONE_HZ, TONE_SHARE = 30.0, 0.8
"""So much of the power within so many Hz is one steady partial."""
NO_OVERTONES = 0.004
"""Overtone energy (-24 dB) below which a tone is a single partial: a triangle, the purest other wave, has 0.015."""


@functools.lru_cache(64)
def hann(length: int) -> Frames:
    """A Hann window `[length]`."""
    return np.hanning(length).astype(np.float64)


def periodicity(samples: Samples, f0: Frames) -> float:
    """Correlation of `samples` with themselves one period later, in [0, 1]: the mean at PLACES of the event.

    `f0` `[frames]` in Hz is spread evenly over the event; each place uses its own, so that a glide stays periodic.
    """
    found = []
    for place in np.linspace(0, 1, PLACES + 2)[1:-1]:
        period = SAMPLE_RATE / float(f0[round(place * (len(f0) - 1))])
        lag = period * _periods(period)
        whole = int(lag)
        length = max(REPEAT_SAMPLES, whole) + whole + 1
        if length > len(samples):
            length = len(samples)
            whole = min(whole, length // 2 - 1)
        begin = round(place * (len(samples) - length))
        window = samples[begin : begin + length].astype(np.float64)
        if whole < 1:
            continue
        here, share = window[: -whole - 1], lag - int(lag)
        later = (1 - share) * window[whole:-1] + share * window[whole + 1 :]
        scale = float(np.sqrt(np.dot(here, here) * np.dot(later, later)))
        found.append(max(0.0, float(np.dot(here, later)) / scale) if scale > 0 else 0.0)
    return float(np.mean(found)) if found else 0.0


def _periods(period: float) -> int:
    """How many periods of `period` samples to look ahead: of a high note as many as come nearest to whole samples.

    Between samples the waveform is taken as straight, which the upper partials of a short period are far from.
    """
    if period >= SHORT_PERIOD:
        return 1
    return min(range(1, MAX_PERIODS + 1), key=lambda count: abs(count * period - round(count * period)))


def high_tone(samples: Samples) -> float | None:
    """Frequency of a sound above the F0 tracker's range that is one steady partial, Hz; None if it is not."""
    length = len(samples)
    if length < FRAME:
        return None
    power = np.abs(np.fft.rfft(samples * hann(length))) ** 2
    peak = int(np.argmax(power))
    hertz = peak * SAMPLE_RATE / length
    lobe = int(np.ceil(TONE_HZ * length / SAMPLE_RATE))
    if not HIGH_TONE_HZ[0] < hertz < HIGH_TONE_HZ[1]:
        return None
    return hertz if power[max(0, peak - lobe) : peak + lobe + 1].sum() > TONE_SHARE * power.sum() else None


def measure_partials(samples: Samples, f0: Frames) -> Partials | None:
    """Partials of an event with F0 frames `f0` (Hz, evenly spread over it), or None where fewer than three fit."""
    if len(f0) == 0 or 3 * float(np.max(f0)) > TOP_HZ:
        return None
    count = min(MAX_PARTIALS, int(TOP_HZ / float(np.max(f0))))
    length = min(FRAME, len(samples))
    window = hann(length)
    energies = np.zeros(count)
    numbers = np.arange(1, count + 1)
    for place in np.linspace(0, 1, PLACES + 2)[1:-1]:
        begin = round(place * (len(samples) - length))
        spectrum = np.abs(np.fft.rfft(samples[begin : begin + length] * window, 4 * FRAME))
        pitch = float(f0[min(len(f0) - 1, round((begin + length / 2) / len(samples) * (len(f0) - 1)))])
        width = max(2.0, 0.03 * pitch * 4 * FRAME / SAMPLE_RATE)
        middles = numbers * pitch * 4 * FRAME / SAMPLE_RATE
        bounds = np.stack([middles - width, middles + width + 2], axis=1).astype(int).clip(0, len(spectrum) - 1)
        energies += np.maximum.reduceat(spectrum, bounds.ravel())[::2] ** 2
    if energies[0] <= 0:
        return None
    overtones = float(energies[1:].sum() / energies[0])
    even = float(energies[1::2].sum() / energies[1:].sum()) if overtones > NO_OVERTONES else None
    levels = 10 * np.log10(np.maximum(energies / energies.max(), 1e-9))
    return Partials(overtones, even, float(np.sqrt(energies[2] / energies[0])), tuple(levels.tolist()))


def centroid_and_bandwidth(samples: Samples, background: float) -> tuple[float, float]:
    """Spectral centroid and standard deviation, Hz, after a white background of `background` dBFS is taken out."""
    length = min(max(FRAME, 1), len(samples))
    if length < 16:
        return 0.0, 0.0
    window = hann(length)
    power = np.zeros(length // 2 + 1)
    places = max(PLACES, min(len(samples) // (2 * FRAME), MOST_PLACES))
    for place in np.linspace(0, 1, places + 2)[1:-1]:
        begin = round(place * (len(samples) - length))
        power += np.abs(np.fft.rfft(samples[begin : begin + length] * window)) ** 2 / places
    power = np.maximum(power - 2 * 10 ** (background / 10) * float(np.sum(window**2)), 0.0)
    total = float(power.sum())
    if total <= 0:
        return 0.0, 0.0
    frequency = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    centroid = float(np.dot(frequency, power) / total)
    return centroid, float(np.sqrt(np.dot((frequency - centroid) ** 2, power) / total))


def centroid_contour(samples: Samples, background: float) -> Contour:
    """Spectral centroid over time, after a white background of `background` dBFS is taken out."""
    window = np.hanning(CONTOUR_FRAME).astype(np.float32)
    floor = np.float32(2 * 10 ** (background / 10) * float(np.sum(window**2)))
    frequency = np.fft.rfftfreq(CONTOUR_FRAME, 1 / SAMPLE_RATE).astype(np.float32)
    values = []
    for power in spectra(samples, CONTOUR_FRAME, CONTOUR_HOP):
        total = power.sum(axis=1)
        heard = total > 10 ** (HEARD_DB / 10) * floor * len(frequency) / 2
        power = np.maximum(power[heard] - floor, 0)
        kept = power.sum(axis=1)
        values.append(np.full(len(total), np.nan))
        with np.errstate(invalid="ignore"):
            values[-1][heard] = np.where(kept > 0, power @ frequency / kept, np.nan)
    found = np.concatenate(values)
    return Contour((np.arange(len(found)) * CONTOUR_HOP + CONTOUR_FRAME / 2) / SAMPLE_RATE, found)


def spectra(samples: Samples, frame: int, hop: int, bins: slice = slice(None)) -> Iterator[NDArray[np.float32]]:
    """Power `[frames, bins]` of windowed frames, block by block; frame i begins at sample i * hop."""
    window = np.hanning(frame).astype(np.float32)
    frames, step = np.lib.stride_tricks.sliding_window_view(samples, frame)[::hop], BLOCK_SAMPLES // frame
    for begin in range(0, len(frames), step):
        spectrum = rfft(frames[begin : begin + step] * window)[:, bins]
        yield spectrum.real**2 + spectrum.imag**2


def band_powers(samples: Samples, frame: int, hop: int, edges: NDArray[np.int_]) -> NDArray[np.float32]:
    """Power `[frames, bands]` of bands between the bins `edges`; frame i is around sample i * hop."""
    blocks = spectra(np.pad(samples, frame // 2), frame, hop, slice(edges[-1]))
    return np.concatenate([np.add.reduceat(power, edges[:-1], axis=1) for power in blocks])
