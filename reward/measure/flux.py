"""Spectral flux: how much of the spectrum rises at once. It finds strokes inside what still rings.

After Dixon (2006, "Onset detection revisited"), of levels in dB in bands, so that soft strokes rise like loud ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d

from earwitness.audio import SAMPLE_RATE
from reward.measure.facts import Frames, Samples
from reward.measure.spectrum import band_powers

HOP = 80
"""Samples between frames (5 ms)."""
FRAME = 512
"""Samples of a frame (32 ms): two periods of 60 Hz."""
STEP_FRAMES = 4
"""A rise is taken over 20 ms, within which a stroke is at its loudest."""
FLOOR_DB = 50.0
"""What is so far below the strongest band of the clip does not rise."""
_EDGES = np.unique(np.round(np.concatenate([np.arange(2, 12), np.geomspace(12, FRAME // 2, 30)])).astype(int))
"""First bins of the bands: single ones (31 Hz) up to 340 Hz, then about nine an octave."""
DOUBTFUL_DB = 4.0
"""From here on a mean rise of the bands may be an onset."""
APART_FRAMES = 8
"""Onsets are at least 40 ms apart."""
LATE_SECONDS = 0.006
"""The flux is at its peak so long after the onset."""


def measure_flux(samples: Samples) -> Frames:
    """Mean rise of the bands, dB, of every frame; frame i is at i * HOP samples."""
    bands = band_powers(samples, FRAME, HOP, _EDGES)
    strongest = float(bands.max(initial=0.0))
    if strongest <= 0:
        return np.zeros(len(bands))
    db = 10 * np.log10(bands / strongest + 10 ** (-FLOOR_DB / 10))
    flux = np.zeros(len(bands))
    flux[STEP_FRAMES:] = np.maximum(db[STEP_FRAMES:] - db[:-STEP_FRAMES], 0).mean(axis=1)
    return flux


@dataclass(frozen=True)
class Onsets:
    """Where the spectrum rises."""

    times: Frames
    """Seconds."""
    rises: Frames
    """Mean rise of the bands, dB."""


def find_onsets(flux: Frames) -> Onsets:
    """Whatever may be an onset."""
    peaks = np.flatnonzero((flux >= DOUBTFUL_DB) & (flux == maximum_filter1d(flux, 2 * APART_FRAMES + 1)))
    return Onsets(peaks * HOP / SAMPLE_RATE - LATE_SECONDS, flux[peaks])
