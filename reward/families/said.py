"""What models say of a quantity, and how likely one of those values would be taken for right on a clip."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

MOST_BY_CHANCE = 0.045
"""Of values drawn blindly from what models say, at most this share is supported: a number needs ears. The bound that
benchmarks/chance.py holds it to is 0.05: what is said is rounded, and so lumpy."""
WRONG = 1.5
"""A value so many tolerances from what is measured is contradicted; before that it is too near to tell."""
MOST = 0.5
"""Least share of what sounds for which a value without a part holds."""
MOST_COUNTED = 20
"""Largest count that is said; the smaller ones are said more often, k in proportion to 1 / k."""


@dataclass(frozen=True)
class Said:
    """The range of the values that models say of a quantity, in its unit, and what is usual of recordings."""

    low: float
    high: float
    by_ratio: bool = True
    """Whether equal ratios are equally likely, as of frequencies; else equal differences, as of levels."""
    usual: tuple[float, float] | None = None
    """Middle, in its unit, and spread (octaves by ratio, else its unit) of a normal distribution: who says what is
    usual is right more often than who says anything. Rounded from recordings of many kinds. None: nothing is usual."""

    def share(self, low: float, high: float) -> float:
        """How much of what is said lies between `low` and `high`."""
        low, high = max(low, self.low), min(high, self.high)
        if high <= low:
            return 0.0
        if self.by_ratio:
            return math.log(high / low) / math.log(self.high / self.low)
        return (high - low) / (self.high - self.low)

    def usually(self, low: float, high: float) -> float:
        """In how many recordings the value is between `low` and `high`."""
        if self.usual is None:
            return 0.0
        return self._below(high) - self._below(low)

    def evenly(self, number: int) -> list[float]:
        """So many guesses, each as likely as the others."""
        places = [(index + 0.5) / number for index in range(number)]
        if self.by_ratio:
            return [self.low * (self.high / self.low) ** place for place in places]
        return [self.low + (self.high - self.low) * place for place in places]

    def _below(self, value: float) -> float:
        assert self.usual is not None
        middle, spread = self.usual
        if self.by_ratio:
            away = math.log2(value / middle) if value > 0 else -math.inf
        else:
            away = value - middle
        return 0.5 * (1 + math.erf(away / spread / math.sqrt(2)))


SECONDS = Said(0.02, 20.0, usual=(0.5, 1.3))
"""Durations, gaps and pauses."""
AMOUNTS = Said(1.0, 20.0, by_ratio=False)
"""Decibels or semitones by which sounds differ."""


def share_of_counts(supported: Iterable[int]) -> float:
    """How likely a blind count is one of `supported`."""
    return sum(1 / k for k in supported if k > 0) / sum(1 / k for k in range(1, MOST_COUNTED + 1))
