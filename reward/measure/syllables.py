"""Speaking rate by syllable nuclei: peaks of the level of the speech band that are voiced and stand out.

The rule is that of de Jong and Wempe (2009, "Praat script to detect syllable nuclei"): a peak within 25 dB of the
loudest, with a dip of at least 2 dB on either side, where there is an F0.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, find_peaks, sosfilt

from earwitness.audio import SAMPLE_RATE
from reward.measure.facts import Contour, Samples, Syllables

BAND_HZ = (300.0, 3300.0)
"""Vowels have their energy here, fricatives above and hum below."""
HOP_SECONDS = 0.01
"""Between frames."""
WINDOW_SECONDS = 0.06
"""A nucleus lasts longer, a pitch period is shorter."""
DIP_DB = 2.0
"""Least dip between two nuclei."""
RANGE_DB = 25.0
"""A nucleus is at most so far below the loudest."""
CLOSEST_SECONDS = 0.09
"""Between two nuclei: 11 syllables a second are faster than anyone speaks."""
FEWEST = 4
"""Nuclei for a rate: fewer tones in a row are not speech."""
_FILTER = butter(2, BAND_HZ, "bandpass", fs=SAMPLE_RATE, output="sos")


def find_syllables(samples: Samples, pitch: Contour) -> Syllables | None:
    """Syllable nuclei of `samples`; None for fewer than FEWEST."""
    hop, window = round(HOP_SECONDS * SAMPLE_RATE), round(WINDOW_SECONDS * SAMPLE_RATE)
    if len(samples) < 4 * window:
        return None
    power = np.square(sosfilt(_FILTER, samples.astype(np.float64)))
    total = np.concatenate([np.zeros(1), np.cumsum(np.pad(power, window // 2))])
    starts = np.arange(0, len(samples), hop)
    level = 10 * np.log10(np.maximum((total[starts + window] - total[starts]) / window, 1e-12))
    floor = max(float(level.max()) - RANGE_DB, -75.0)
    peaks, _ = find_peaks(level, height=floor, prominence=DIP_DB, distance=round(CLOSEST_SECONDS / HOP_SECONDS))
    places = np.clip(np.searchsorted(pitch.times, peaks * HOP_SECONDS), 0, len(pitch.times) - 1)
    nuclei = peaks[np.isfinite(pitch.values[places])]
    if len(nuclei) < FEWEST:
        return None
    rate = (len(nuclei) - 1) / ((nuclei[-1] - nuclei[0]) * HOP_SECONDS)
    return Syllables(len(nuclei), float(rate))
