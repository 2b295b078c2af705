"""The log-mel spectrogram that all families hear, and how many frames a clip has.

Whisper's front end with its own padding: 479 zeros on the right, a centred STFT (400-point periodic Hann window, hop
160), librosa's Slaney mel filters, log10, at most 80 dB below the loudest bin, scaled to about [-1, 1].

Computed in float64 and rounded once: rounding in the FFT and in BLAS stays far below a float32 step, so the trainer and
the rollout workers see the same bits.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from earwitness.errors import InputError

SAMPLE_RATE = 16_000
"""Hz."""
WINDOW = 400
"""Samples of one STFT window: 25 ms."""
HOP = 160
"""Samples between frames: 10 ms."""
PAD_RIGHT = 479
"""Zeros behind the clip, as Step-Audio-R1 was trained: every clip gets two frames more than its length asks for."""
TRAILING = 2
"""Those frames."""
FLOOR = 1e-10
"""Smallest mel power: log10 stays finite in silence."""
DYNAMIC_RANGE = 8.0
"""log10 units kept below the loudest bin: 80 dB."""


def log_mel(samples: NDArray[np.float32], n_mels: int = 128, *, full: bool = False) -> NDArray[np.float32]:
    """The log-mel spectrogram `[n_mels, frames(len(samples))]` of a 16 kHz mono clip `[samples]`.

    `full`: the clip ends where its family's front end ends, in its mirror image; the two frames behind are the last.
    Raises InputError if the clip is not one-dimensional, is empty, or holds NaN or infinity.
    """
    if samples.ndim != 1 or samples.size == 0:
        raise InputError("samples", f"shape {samples.shape}", "a mono clip [samples] with at least one sample")
    if not np.isfinite(samples).all():
        raise InputError("samples", "NaN or infinity", "finite samples")
    centred = np.pad(np.pad(samples.astype(np.float64), (0, 0 if full else PAD_RIGHT)), WINDOW // 2, mode="reflect")
    seen = frames(samples.size) - (TRAILING if full else 0)
    windows = np.lib.stride_tricks.sliding_window_view(centred, WINDOW)[::HOP][:seen]
    spectrum = np.fft.rfft(windows * _window(), axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    mel = np.log10(np.maximum(power @ mel_filters(n_mels).T, FLOOR))
    mel = np.pad(
        (np.maximum(mel, mel.max() - DYNAMIC_RANGE) + 4.0) / 4.0, ((0, TRAILING if full else 0), (0, 0)), "edge"
    )
    return np.ascontiguousarray(mel.T, dtype=np.float32)


def frames(samples: int) -> int:
    """Mel frames of a clip of `samples` samples: ceil(samples / 160) + 2."""
    return (samples + PAD_RIGHT) // HOP


@cache
def mel_filters(n_mels: int) -> NDArray[np.float64]:
    """Triangular filters `[n_mels, WINDOW // 2 + 1]` on the Slaney mel scale, each of unit area (librosa's default)."""
    bins = np.linspace(0.0, SAMPLE_RATE / 2, WINDOW // 2 + 1)
    edges = _mel_to_hz(np.linspace(0.0, _hz_to_mel(SAMPLE_RATE / 2), n_mels + 2))
    width = np.diff(edges)
    rising = (bins[None, :] - edges[:-2, None]) / width[:-1, None]
    falling = (edges[2:, None] - bins[None, :]) / width[1:, None]
    filters: NDArray[np.float64] = (
        np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]
    )
    filters.flags.writeable = False
    return filters


# Slaney's mel scale (Auditory Toolbox): linear up to 1 kHz, then 27 mels for each factor 6.4.
_LINEAR_HZ_PER_MEL = 200.0 / 3.0
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _LINEAR_HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0


def _hz_to_mel(hz: float) -> float:
    """Only for frequencies above the break: the Nyquist frequency."""
    return float(_BREAK_MEL + np.log(hz / _BREAK_HZ) / _LOG_STEP)


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    linear = mel * _LINEAR_HZ_PER_MEL
    curved = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    hz: NDArray[np.float64] = np.where(mel < _BREAK_MEL, linear, curved)
    return hz


@cache
def _window() -> NDArray[np.float64]:
    """Periodic Hann window `[WINDOW]`."""
    window = np.hanning(WINDOW + 1)[:-1].astype(np.float64)
    window.flags.writeable = False
    return window
