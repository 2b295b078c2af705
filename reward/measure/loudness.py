"""Integrated loudness after ITU-R BS.1770, by pyloudnorm."""

from __future__ import annotations

import warnings

import numpy as np
import pyloudnorm

from earwitness.audio import SAMPLE_RATE
from reward.measure.facts import Samples

BLOCK_SECONDS = 0.4
"""Length of a gating block; a shorter clip has no integrated loudness."""
_METER = pyloudnorm.Meter(SAMPLE_RATE, block_size=BLOCK_SECONDS)


def integrated_loudness(samples: Samples) -> float | None:
    """Loudness of `samples` (mono at 16 kHz) in LUFS, error 0.5 LU; None for short clips and silence.

    Channels are mixed to one first, so a stereo file with equal channels reads 3 LU lower than in a studio's meter.
    """
    if len(samples) < BLOCK_SECONDS * SAMPLE_RATE:
        return None
    with warnings.catch_warnings(), np.errstate(all="ignore"):  # the logarithm of silence
        warnings.simplefilter("ignore")
        loudness = float(_METER.integrated_loudness(samples.astype(np.float64)))
    return loudness if np.isfinite(loudness) else None
