"""Whether a worker keeps up with the versions that are published."""

from __future__ import annotations

from earwitness.errors import EarwitnessError

BEHIND_SECONDS = 120.0
"""So long beyond the staleness bound, and `BEHIND_ATTEMPTS` loads in vain, mean that a worker cannot keep up."""

BEHIND_ATTEMPTS = 3
"""One load may be slow because it is the first; a third that ends behind again says that the next one will too."""


class CannotKeepUpError(EarwitnessError):
    """Versions are published faster than this worker loads them, or it cannot load any."""

    def __init__(self, behind: str, seconds: float, attempts: int) -> None:
        super().__init__(behind, seconds, attempts)
        self.behind = behind
        self.seconds = seconds
        self.attempts = attempts

    def __str__(self) -> str:
        return f"{self.behind} for {self.seconds:.0f} s, and {self.attempts} loads did not change that"


class Pace:
    """Told of every load and how it left the worker, says when there is no hope. Owns no clock."""

    def __init__(self, seconds: float = BEHIND_SECONDS, attempts: int = BEHIND_ATTEMPTS) -> None:
        self._seconds = seconds
        self._attempts = attempts
        self._since: float | None = None
        self._tried = 0

    def within(self) -> None:
        """The worker serves a version within the bound, or there is none to serve."""
        self._since, self._tried = None, 0

    def beyond(self, behind: str, now: float) -> None:
        """It does not, as `behind` says in words, at `now` seconds. Raises CannotKeepUpError."""
        if self._since is None:
            self._since = now
        seconds = now - self._since
        if seconds > self._seconds and self._tried >= self._attempts:
            raise CannotKeepUpError(behind, seconds, self._tried)

    def tried(self) -> None:
        """A load has ended, well or not."""
        self._tried += 1
