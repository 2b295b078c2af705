"""What models say of a quantity, and how likely one of those values would be taken for right on a clip."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

MOST_BY_CHANCE = 0.05
"""Of values drawn blindly from what models say, at most this share is supported: a number needs ears."""
WRONG = 1.5
"""A value so many tolerances from what is measured is contradicted; before that it is too near to tell."""
MOST = 0.5
"""Least share of what sounds for which a value without a part holds."""
MOST_COUNTED = 20
"""Largest count that is said; the smaller ones are said more often, k in proportion to 1 / k."""


@dataclass(frozen=True)
class Said:
    """The range of the values that models say of a quantity, in its unit."""

    low: float
    high: float
    by_ratio: bool = True
    """Whether equal ratios are equally likely, as of frequencies; else equal differences, as of levels."""

    def share(self, low: float, high: float) -> float:
        """How much of what is said lies between `low` and `high`."""
        low, high = max(low, self.low), min(high, self.high)
        if high <= low:
            return 0.0
        if self.by_ratio:
            return math.log(high / low) / math.log(self.high / self.low)
        return (high - low) / (self.high - self.low)


SECONDS = Said(0.02, 20.0)
"""Durations, gaps and pauses."""
AMOUNTS = Said(1.0, 20.0, by_ratio=False)
"""Decibels or semitones by which sounds differ."""


def share_of_counts(supported: Iterable[int]) -> float:
    """How likely a blind count is one of `supported`."""
    return sum(1 / k for k in supported if k > 0) / sum(1 / k for k in range(1, MOST_COUNTED + 1))
