"""What a listener has heard of an answer that is on its way: a clock, and no more."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Spoken:
    """An answer as sound, by clauses. Sound is played from when it comes, in order, at its own pace; where it comes too
    late, there is a gap."""

    clauses: list[tuple[str, float]] = field(default_factory=list)
    """Words, and the seconds that they take."""
    sent: float = 0.0
    """Seconds of sound that have gone to the listener."""
    underruns: int = 0
    """Gaps: times when sound came after all before had been played."""
    _ends: float | None = None
    """When what was sent has been played; None before the first."""

    def send(self, seconds: float, now: float) -> None:
        """Sound goes out."""
        late = self._ends is not None and now > self._ends
        self.underruns += late
        self._ends = (now if late or self._ends is None else self._ends) + seconds
        self.sent += seconds

    def ahead(self, now: float) -> float:
        """Seconds that have gone out and are still to be played."""
        return 0.0 if self._ends is None else max(0.0, self._ends - now)

    def played(self, now: float) -> float:
        """Seconds that have been played."""
        return self.sent - self.ahead(now)

    def heard(self, seconds: float) -> str:
        """The words that were heard in so many seconds of sound: a word that was cut is not among them."""
        heard, left = "", seconds
        for words, lasts in self.clauses:
            if left < lasts:
                part = words[: int(len(words) * left / lasts)]
                begun = part != "" and not part[-1].isspace() and not words[len(part) : len(part) + 1].isspace()
                return (heard + (part[: part.rfind(" ") + 1] if begun else part)).rstrip()
            heard, left = heard + words, left - lasts
        return heard.rstrip()
