"""Synthesises listening-probe clips with known facts: tones, beeps, bursts and pulse trains at 16 kHz in noise."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """Samples `[samples]` and what is in them, in seconds, Hz and dB."""

    samples: Samples
    onsets: list[float] = field(default_factory=list)
    durations: list[float] = field(default_factory=list)
    pitches: list[float] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)
    sweep: tuple[float, float] | None = None
    wave: str = ""


def tone(
    frequency: float | NDArray, seconds: float, wave: str = "sine", rng: np.random.Generator | None = None
) -> NDArray:
    """One tone of RMS 1 `[samples]` with 8 ms raised-cosine edges; `frequency` may be `[samples]` (a glide)."""
    n = round(seconds * RATE)
    f = np.broadcast_to(np.asarray(frequency, dtype=float), (n,))
    phase = 2 * np.pi * np.cumsum(f) / RATE
    if wave == "noise":
        out = (rng or np.random.default_rng(0)).standard_normal(n)
    elif wave == "sine":
        out = np.sin(phase)
    else:
        out = np.zeros(n)
        for k in range(1, int(7600 / f.max()) + 1):
            if wave == "square" and k % 2 == 0:
                continue
            out += np.sin(k * phase) / k
    out = out / np.sqrt(np.mean(out**2))
    ramp = min(round(0.008 * RATE), n // 2)
    edge = 0.5 - 0.5 * np.cos(np.pi * np.arange(ramp) / ramp)
    out[:ramp] *= edge
    out[n - ramp :] *= edge[::-1]
    return out


def mix(parts: list[tuple[float, NDArray, float]], seconds: float, snr: float, rng: np.random.Generator) -> Samples:
    """Puts parts (onset s, tone of RMS 1, level dBFS RMS) in white noise `snr` dB below the loudest part."""
    out = np.zeros(round(seconds * RATE))
    for onset, part, level in parts:
        start = round(onset * RATE)
        out[start : start + len(part)] += part[: len(out) - start] * 10 ** (level / 20)
    loudest = max(level for _, _, level in parts)
    return (out + rng.standard_normal(len(out)) * 10 ** ((loudest - snr) / 20)).astype(np.float32)


def glide(rng: np.random.Generator, direction: int, snr: float = 25.0, wave: str = "sine") -> Clip:
    """A tone of 0.5-1.5 s that rises (1), falls (-1) or stays level (0)."""
    seconds = rng.uniform(0.5, 1.5)
    start = rng.uniform(150, 800)
    stop = start * 2 ** (direction * rng.uniform(0.25, 1.2))
    n = round(seconds * RATE)
    path = np.geomspace(start, stop, n) if rng.random() < 0.5 else np.linspace(start, stop, n)
    onset, level = rng.uniform(0.05, 0.4), rng.uniform(-30, -12)
    samples = mix([(onset, tone(path, seconds, wave), level)], onset + seconds + rng.uniform(0.05, 0.4), snr, rng)
    return Clip(samples, [onset], [seconds], [float(np.sqrt(start * stop))], [level], (start, stop), wave)


def tones(
    rng: np.random.Generator, count: int, snr: float = 25.0, wave: str = "sine", spread_db: float = 0.0,
    shortest: float = 0.08, longest: float = 0.3,
) -> Clip:  # fmt: skip
    """`count` separate tones of random pitch, length and (within `spread_db`) level."""
    onsets, durations, pitches, levels, parts = [], [], [], [], []
    time, base = rng.uniform(0.05, 0.3), rng.uniform(-30, -12)
    for _ in range(count):
        seconds, pitch = rng.uniform(shortest, longest), rng.uniform(150, 1200)
        level = base - rng.uniform(0, spread_db)
        parts.append((time, tone(pitch, seconds, wave, rng), level))
        onsets.append(time)
        durations.append(seconds)
        pitches.append(pitch)
        levels.append(level)
        time += seconds + rng.uniform(0.06, 0.25)
    return Clip(mix(parts, time + 0.1, snr, rng), onsets, durations, pitches, levels, None, wave)


def pulses(rng: np.random.Generator, gaps: list[float], snr: float = 25.0, seconds: float = 0.04) -> Clip:
    """Short pulses whose onsets are `gaps` seconds apart."""
    pitch, level, time = rng.uniform(300, 1500), rng.uniform(-30, -12), rng.uniform(0.05, 0.3)
    onsets = [time, *(time + np.cumsum(gaps)).tolist()]
    parts = [(onset, tone(pitch, seconds), level) for onset in onsets]
    samples = mix(parts, onsets[-1] + seconds + rng.uniform(0.05, 0.3), snr, rng)
    return Clip(samples, onsets, [seconds] * len(onsets), [pitch] * len(onsets), [level] * len(onsets))
