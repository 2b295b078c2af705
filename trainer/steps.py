"""What a loop of updates yields, step by step. It polls, saves and publishes nothing: `trainer.driver` does."""

from __future__ import annotations

import time
from collections.abc import Collection, Generator
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """What one step did."""

    number: int
    """From 1."""
    metrics: dict[str, float]
    """Its figures."""
    ordinals: Collection[int] = ()
    """Groups that the policy has learned from."""


Steps = Generator[Step | None, None, None]
"""None: nothing was learned, because what to learn from takes long, or because something is wished of the phase."""


class Clock:
    """Seconds of the parts of a step."""

    def __init__(self) -> None:
        self._since = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def lap(self, name: str) -> None:
        """Books the time since the last lap."""
        now = time.perf_counter()
        self.seconds[name] = now - self._since
        self._since = now
