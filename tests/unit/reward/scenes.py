"""Synthesises scenes with known facts: chords, drums, syllables, noisy tones, stereo, and speech from espeak-ng.

Beside `clips.py`, which makes plain tones and pulses; neither shares code with the measurements.
"""

from __future__ import annotations

import functools
import io
import shutil
import subprocess

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 16_000
Samples = NDArray[np.float32]


def edged(wave: NDArray, seconds: float = 0.008) -> NDArray:
    """`wave` scaled to an RMS of 1 with raised-cosine edges."""
    out = wave / np.sqrt(np.mean(wave**2))
    ramp = min(round(seconds * RATE), len(out) // 2)
    edge = 0.5 - 0.5 * np.cos(np.pi * np.arange(ramp) / ramp)
    out[:ramp] *= edge
    out[len(out) - ramp :] *= edge[::-1]
    return out


def partials(frequency: float, seconds: float, amplitudes: list[float], rng: np.random.Generator) -> NDArray:
    """A tone of RMS 1 whose partials 1, 2, ... have the given amplitudes and random phases `[samples]`."""
    times = np.arange(round(seconds * RATE)) / RATE
    wave = sum(
        a * np.sin(2 * np.pi * k * frequency * times + rng.uniform(0, 2 * np.pi))
        for k, a in enumerate(amplitudes, start=1)
        if a
    )
    return edged(np.asarray(wave))


def chord(frequencies: list[float], seconds: float, amplitudes: list[float], rng: np.random.Generator) -> NDArray:
    """Tones of equal level at once."""
    return edged(np.asarray(sum(partials(f, seconds, amplitudes, rng) for f in frequencies)))


def drum(kind: str, rng: np.random.Generator) -> NDArray:
    """A kick (a sine that falls from 150 to 55 Hz), a snare (noise over a short tone) or a hi-hat (high noise)."""
    length = {"kick": 0.16, "snare": 0.12, "hat": 0.06}[kind]
    times = np.arange(round(length * RATE)) / RATE
    if kind == "kick":
        hz = 55 + 95 * np.exp(-times / 0.03)
        wave = np.sin(2 * np.pi * np.cumsum(hz) / RATE) * np.exp(-times / 0.07)
    elif kind == "snare":
        wave = rng.standard_normal(len(times)) * np.exp(-times / 0.04)
        wave += 0.5 * np.sin(2 * np.pi * 190 * times) * np.exp(-times / 0.02)
    else:
        wave = np.diff(rng.standard_normal(len(times) + 2), 2) * np.exp(-times / 0.02)
    wave[-80:] *= np.linspace(1, 0, 80)
    return np.asarray(wave / np.sqrt(np.mean(wave**2)))


def place(
    parts: list[tuple[float, NDArray, float]], seconds: float, noise_db: float, rng: np.random.Generator
) -> Samples:
    """Parts (onset s, wave of RMS 1, level dBFS RMS) over white noise of `noise_db` dBFS."""
    out = rng.standard_normal(round(seconds * RATE)) * 10 ** (noise_db / 20)
    for onset, part, level in parts:
        start = round(onset * RATE)
        out[start : start + len(part)] += part[: max(0, len(out) - start)] * 10 ** (level / 20)
    return out.astype(np.float32)


def syllables(count: int, rate: float, rng: np.random.Generator) -> tuple[Samples, float]:
    """`count` syllables, `rate` a second, and how long they last: a glottal pulse train through two formants.

    Vowels differ, intonation falls, and every syllable begins with a burst of noise like that of a stop.
    """
    vowels = [(730, 1090), (270, 2290), (530, 1840), (570, 840), (300, 870)]
    base, parts = rng.uniform(95, 210), []
    for index in range(count):
        length = rng.uniform(0.9, 1.1) / rate
        n = round(length * RATE)
        times = np.arange(n) / RATE
        hz = base * (1.1 - 0.2 * index / count) * (1 + 0.03 * np.sin(2 * np.pi * 3 * times))
        phase = 2 * np.pi * np.cumsum(hz) / RATE
        first, second = vowels[int(rng.integers(len(vowels)))]
        wave = np.zeros(n)
        for k in range(1, int(4000 / base)):
            f = k * base
            wave += (1 / (1 + ((f - first) / 90) ** 2) + 0.5 / (1 + ((f - second) / 120) ** 2) + 0.02) * np.sin(
                k * phase
            )
        envelope = np.clip(np.sin(np.pi * np.clip((times / length - 0.22) / 0.78, 0, 1)), 0.02, None) ** 0.7
        stop = 0.15 * rng.standard_normal(n) * np.exp(-(((times / length - 0.12) / 0.05) ** 2))
        parts.append(wave / np.abs(wave).max() * envelope + stop)
    speech = np.concatenate(parts)
    quiet = np.zeros(round(0.2 * RATE))
    out = 0.2 * np.concatenate([quiet, speech, quiet])
    return (out + 2e-4 * rng.standard_normal(len(out))).astype(np.float32), len(speech) / RATE


def espeak_installed() -> bool:
    """True if the speech synthesiser is there."""
    return shutil.which("espeak-ng") is not None


@functools.cache
def espeak(text: str, words_a_minute: int, voice: str) -> Samples:
    """`text` (SSML) said by espeak-ng at 16 kHz, with 0.2 s of near-silence at both ends."""
    command = ["espeak-ng", "--stdout", "-m", "-v", voice, "-s", str(words_a_minute), text]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    samples, rate = soundfile.read(io.BytesIO(_with_length(data)), dtype="float64")
    sounding = np.flatnonzero(np.abs(samples) > 0.01)
    samples = samples[sounding[0] : sounding[-1] + 1]
    grid = np.arange(0, len(samples) - 1, rate / RATE)
    speech = np.interp(grid, np.arange(len(samples)), samples)
    quiet = np.zeros(round(0.2 * RATE))
    out = np.concatenate([quiet, speech, quiet])
    return (out + 1e-4 * np.random.default_rng(0).standard_normal(len(out))).astype(np.float32)


def longest_silence(samples: Samples) -> float:
    """Seconds between the two neighbouring sounding samples that are farthest apart."""
    sounding = np.flatnonzero(np.abs(samples) > 0.01)
    return float(np.diff(sounding).max()) / RATE


def _with_length(data: bytes) -> bytes:
    """A wav file from a pipe says it is endless; this one says how long it is."""
    whole, body = (len(data) - 8).to_bytes(4, "little"), (len(data) - 44).to_bytes(4, "little")
    return data[:4] + whole + data[8:40] + body + data[44:]
