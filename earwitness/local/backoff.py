"""When a process that ended is started again: a small state machine without a clock of its own."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_DELAY_SECONDS = 0.5
"""A worker that was killed once should be back soon."""

LONGEST_DELAY_SECONDS = 30.0
"""Long enough to spare the machine, short enough to notice that the cause is gone."""

STEADY_SECONDS = 60.0
"""A process that ran this long had started well: what ended it is a new story."""

MOST_FAST_FAILURES = 5
"""So many ends in a row without a steady run mean that it will not get better by itself."""


@dataclass(frozen=True)
class BackOff:
    """How often in a row the process ended soon after its start."""

    failures: int = 0

    def ended(self, ran_seconds: float) -> BackOff:
        """The state after a run of `ran_seconds`."""
        return BackOff(1 if ran_seconds >= STEADY_SECONDS else self.failures + 1)

    @property
    def hopeless(self) -> bool:
        """True if it should not be started again."""
        return self.failures >= MOST_FAST_FAILURES

    @property
    def delay_seconds(self) -> float:
        """How long to wait before the next start."""
        return min(FIRST_DELAY_SECONDS * 2 ** max(self.failures - 1, 0), LONGEST_DELAY_SECONDS)
