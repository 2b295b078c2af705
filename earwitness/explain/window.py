"""Steps as the rules see them: how a phase began, and how it is now."""

from __future__ import annotations

from dataclasses import dataclass

from earwitness.series import Steps, curve

RECENT_STEPS = 50
"""What is happening now: enough to smooth single steps, few enough to follow a change."""

EDGE = 5
"""A phase's begin and its present are a fifth of its steps each, at most RECENT_STEPS."""


@dataclass(frozen=True)
class Window:
    """The steps of one phase so far."""

    steps: Steps

    def now(self, name: str) -> float | None:
        """Mean of a figure over the newest steps that have it."""
        values = [value for _, value in curve(self.steps, name)]
        return mean(values[-self._edge(len(values)) :])

    def begin(self, name: str) -> float | None:
        """Mean of a figure over the first steps that have it."""
        values = [value for _, value in curve(self.steps, name)]
        return mean(values[: self._edge(len(values))])

    def total(self, name: str) -> float:
        """Sum of a figure over the newest RECENT_STEPS steps."""
        return sum(self.steps[step].get(name, 0.0) for step in sorted(self.steps)[-RECENT_STEPS:])

    def names(self, beginning: str) -> list[str]:
        """Names of figures that begin so, in any of the newest steps."""
        newest = sorted(self.steps)[-RECENT_STEPS:]
        return sorted({name for step in newest for name in self.steps[step] if name.startswith(beginning)})

    @staticmethod
    def _edge(count: int) -> int:
        return max(1, min(RECENT_STEPS, count // EDGE))


def mean(values: list[float]) -> float | None:
    """The mean; None of nothing."""
    return sum(values) / len(values) if values else None
