"""Seconds left, from the rate of the last minute."""

from __future__ import annotations

from collections import deque

WINDOW_SECONDS = 60.0
"""Long enough to smooth checkpoints and weight updates, short enough to follow a worker that joins or leaves."""

UNKNOWN = -1.0


class TimeLeft:
    """Remembers when which step was reached; one object for one phase."""

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()

    def seconds_left(self, step: int, steps: int, now: float) -> float:
        """Estimated seconds until `steps`; UNKNOWN while there is no rate. `now`: seconds, monotonic."""
        if self._marks and step < self._marks[-1][1]:
            self._marks.clear()  # the trainer went back to a checkpoint
        if not self._marks or step > self._marks[-1][1]:
            self._marks.append((now, step))
        while len(self._marks) > 2 and now - self._marks[0][0] > WINDOW_SECONDS:
            self._marks.popleft()
        first_time, first_step = self._marks[0]
        if step <= first_step or now <= first_time or not steps:
            return UNKNOWN
        return (steps - step) * (now - first_time) / (step - first_step)
