"""The beat: the period at which the spectral flux comes again, once, twice and four times.

The tempo of Ellis (2007, "Beat tracking by dynamic programming") with a metre: music in bars comes again after two and
four beats as well, while three quarters of a beat, at which syncopated music comes again too, do not.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from earwitness.audio import SAMPLE_RATE
from reward.measure.facts import LIKE_BAR, Beat, Contour, Frames
from reward.measure.flux import HOP

FRAME_SECONDS = HOP / SAMPLE_RATE
LOCAL_FRAMES = 80
"""The beat is looked for in the flux above its mean over 0.4 s."""
SMOOTH_FRAMES = 5
"""Players are some 10 ms early or late."""
LAGS = (0.2, 1.5)
"""Seconds from beat to beat that are looked at: 300 to 40 a minute."""
TEMPO_LAGS = (0.3, 1.2)
"""Seconds of a beat: 200 to 50 a minute."""
FAVOURED_SECONDS, FAVOURED_OCTAVES = 0.5, 1.2
"""People tap near 120 a minute; width of that preference."""
BEATS = (1, 2, 4)
"""After so many beats the flux comes again."""
HEARD_SHARE = 0.75
"""Of the clip: after more of it too little is left to compare."""
BEATS_SECONDS = 4.0
"""Of a shorter clip the beat is not told."""
SHORTEST_BAR_SECONDS = 1.0
WHOLE = 0.025
"""How far, as a share, a bar may be from a whole number of beats."""
RELATED = np.log2([0.25, 0.5, 1.0, 2.0, 4.0])
NEAR_OCTAVES = np.log2(1.06)
"""Tempos so near one another, or half or double, are one."""


def find_beat(flux: Frames) -> Beat | None:
    """The beat of a clip with `flux`; None where nothing comes again or the clip is short."""
    if len(flux) * FRAME_SECONDS < BEATS_SECONDS:
        return None
    again = _again(flux)
    if again is None:
        return None
    low, high = (round(lag / FRAME_SECONDS) for lag in LAGS)
    lags = np.arange(low, high + 1)
    strengths = _strengths(again, lags)
    seconds: Frames = np.asarray(lags * FRAME_SECONDS, dtype=np.float64)
    favour = np.exp(-0.5 * (np.log2(seconds / FAVOURED_SECONDS) / FAVOURED_OCTAVES) ** 2)
    favour[(seconds < TEMPO_LAGS[0]) | (seconds > TEMPO_LAGS[1])] = 0.0
    favoured = strengths * favour * _divides(again, lags)
    best = int(np.argmax(favoured))
    apart = np.abs(np.log2(lags / lags[best])[:, None] - RELATED).min(axis=1) > NEAR_OCTAVES
    return Beat(
        bpm=60 / _refined(again, int(lags[best])),
        strength=float(strengths[best]),
        pulse=float(again[lags[best]]),
        bar=max(float(again[lags[best] * k - 2 : lags[best] * k + 3].max(initial=0.0)) for k in BEATS),
        rival=float(max(0.0, favoured[apart].max(initial=0.0)) / favoured[best]) if favoured[best] > 0 else 1.0,
        repeats=Contour(seconds, strengths),
    )


def _again(flux: Frames) -> Frames | None:
    """Autocorrelation of what rises, by lag in frames; None where nothing does."""
    rises = uniform_filter1d(np.maximum(flux - uniform_filter1d(flux, LOCAL_FRAMES), 0), SMOOTH_FRAMES)
    rises -= rises.mean()  # else whatever rises all the time comes again after any lag
    size = next_fast_len(2 * len(rises), real=True)
    correlation = irfft(np.abs(rfft(rises, size)) ** 2, size)[: len(rises)]
    if correlation[0] <= 0:
        return None
    return np.asarray(correlation * len(rises) / (len(rises) - np.arange(len(rises))) / correlation[0])


def _strengths(again: Frames, lags: np.ndarray) -> Frames:
    """Mean of `again` after one, two and four of each of `lags`, as far as the clip reaches."""
    total, count = np.zeros(len(lags)), np.zeros(len(lags))
    for beats in BEATS:
        highest = maximum_filter1d(again, 2 * (beats // 2) + 1)
        inside = lags * beats < HEARD_SHARE * len(again)
        total[inside] += highest[lags[inside] * beats]
        count += inside
    return total / np.maximum(count, 1)


def _divides(again: Frames, lags: np.ndarray) -> np.ndarray:
    """Which of `lags` may be a beat where bars are alike: those that lie in a bar a whole number of times."""
    first, last = round(SHORTEST_BAR_SECONDS / FRAME_SECONDS), int(HEARD_SHARE * len(again))
    bar = first + int(np.argmax(again[first:last]))
    if again[bar] < LIKE_BAR:
        return np.ones(len(lags), dtype=bool)
    times = bar / lags
    return np.asarray(np.abs(times - np.round(times)) < WHOLE * times)


def _refined(again: Frames, lag: int) -> float:
    """Seconds of the beat, by the peak near the most beats that the clip holds: frames are coarse."""
    beats = max(b for b in BEATS if b == 1 or lag * b < HEARD_SHARE * len(again))
    reach = beats // 2 + 1
    peak = lag * beats - reach + int(np.argmax(again[lag * beats - reach : lag * beats + reach + 1]))
    a, b, c = again[peak - 1 : peak + 2]
    curve = a - 2 * b + c
    return float(peak + (0.5 * (a - c) / curve if curve < 0 else 0.0)) / beats * FRAME_SECONDS
