"""Where the sound comes from in a file with two channels."""

from __future__ import annotations

import io

import numpy as np
import soundfile

from earwitness.audio import channels
from reward.measure.facts import Balance, Contour

BLOCK_SECONDS = 0.05
"""Levels are compared in blocks: shorter than most events."""
QUIET_DB = 40.0
"""Blocks so far below the loudest do not tell where the sound is."""


def measure_balance(data: bytes) -> Balance | None:
    """The balance of an audio file that `decode_audio` has accepted; None unless it has two channels."""
    about = soundfile.info(io.BytesIO(data))
    if about.channels != 2:
        return None
    blocks = channels(data, max(1, round(BLOCK_SECONDS * about.samplerate)))
    powers = np.array([np.mean(np.square(block, dtype=np.float64), axis=0) for block in blocks])
    if len(powers) == 0 or powers.max() <= 0:
        return None
    loud = powers.sum(axis=1) > powers.sum(axis=1).max() * 10 ** (-QUIET_DB / 10)
    # A millionth of the loudest power keeps a silent channel finite.
    decibels = 10 * np.log10((powers[:, 1] + 1e-6 * powers.max()) / (powers[:, 0] + 1e-6 * powers.max()))
    middles = (np.arange(len(powers)) + 0.5) * BLOCK_SECONDS
    over_time = Contour(middles.astype(np.float64), np.where(loud, decibels, np.nan))
    powers = powers[loud]
    third = max(1, len(powers) // 3)
    return Balance(_right_db(powers), _right_db(powers[:third]), _right_db(powers[-third:]), over_time)


def _right_db(powers: np.ndarray) -> float:
    """Level of the right channel over the left, dB, at most 60 either way. `powers` is [blocks, 2]."""
    left, right = powers.mean(axis=0) + 1e-12 * powers.max()
    return float(np.clip(10 * np.log10(right / left), -60.0, 60.0))
