"""Intervals of shares, and of the difference of two shares over the same clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Z_95 = 1.959964
"""Quantile of the normal distribution for a two-sided 95 % interval."""

RESAMPLES = 10_000
"""Bootstrap resamples; the interval's ends then vary by about a tenth of a point."""

SEED = 20_26
"""The report of a job is the same whenever it is made."""

Interval = tuple[float, float]


def wilson(share: float, n: int) -> Interval | None:
    """Wilson score interval (95 %) of a share over n clips; None without clips."""
    if n == 0:
        return None
    z2 = Z_95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 * np.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return float(max(0.0, centre - half)), float(min(1.0, centre + half))


def paired_gain(before: Sequence[float], after: Sequence[float]) -> tuple[float, Interval] | None:
    """Mean of after - before over the same clips, with its 95 % bootstrap interval; None without clips."""
    if not before:
        return None
    differences = np.asarray(after, float) - np.asarray(before, float)
    rng = np.random.default_rng(SEED)
    picks = rng.integers(0, len(differences), size=(RESAMPLES, len(differences)), dtype=np.int32)
    low, high = np.percentile(differences[picks].mean(axis=1), [2.5, 97.5])
    return float(differences.mean()), (float(low), float(high))
