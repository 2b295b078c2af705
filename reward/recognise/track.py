"""What a recogniser says of a clip, and when that is enough for a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reward.runs import runs_of

Samples = NDArray[np.float32]
"""Mono at 16 kHz, `[samples]`."""


@dataclass(frozen=True)
class Threshold:
    """From `there` on it sounds, below `gone` it does not, between them it cannot be told."""

    there: float
    gone: float


@dataclass(frozen=True)
class Track:
    """How sure a recogniser is of one thing, over the time of a clip."""

    step: float
    """Seconds from one score to the next."""
    scores: NDArray[np.float32]
    """From 0 to 1, `[frames]`."""
    threshold: Threshold
    shortest: float = 0.0
    """What is there for less, seconds, is not sure to be there."""
    reach: float = 0.0
    """What sounds up to so long before or after a frame, seconds, is in its score as well."""

    def there(self) -> NDArray[np.bool_]:
        """Frames in which it is there, `[frames]`: runs of the shortest time and more."""
        there = np.zeros(len(self.scores), dtype=np.bool_)
        for begin, end in runs_of(self.scores >= self.threshold.there):
            there[begin:end] = (end - begin) * self.step >= self.shortest
        return there

    def perhaps(self) -> NDArray[np.bool_]:
        """Frames in which it may be there, the sure ones included, `[frames]`."""
        return self.scores >= self.threshold.gone

    def frames(self, start: float, end: float) -> slice:
        """The frames from `start` to `end`, seconds: those whose middle lies there."""
        first = int(np.ceil(start / self.step - 0.5))
        return slice(max(0, first), max(0, int(np.ceil(end / self.step - 0.5))))


class NotHeard(Exception):
    """Nothing listens for what is asked about, or it does not answer; the message is the reason a person reads."""


class Recogniser(Protocol):
    """A model that hears some things, named by `labels`."""

    labels: tuple[str, ...]

    def recognise(self, samples: Samples) -> Mapping[str, Track]:
        """A track for each of its labels. Safe to be called from several threads. Raises NotHeard."""


class Transcriber(Protocol):
    """A model that writes down what is said."""

    def transcribe(self, samples: Samples) -> Sequence[str]:
        """The words of each piece of the clip, in order; pieces overlap. As `recognise` otherwise."""


AWAY = "the recogniser did not answer: "
"""Begins the reason why something was not heard elsewhere."""


class Elsewhere(Recogniser, Transcriber, Protocol):
    """Recognisers of another process, which may be away: `recognise` gives what they know of its labels."""

    def expected(self) -> None:
        """Raises NotHeard if it did not answer a moment ago, or its time of this group is used up."""


class Heard:
    """What recognisers make of one clip; this one: nothing."""

    def track(self, label: str) -> Track:
        """Raises NotHeard if no recogniser knows the label."""
        raise NotHeard(f"needs a recogniser that knows {label}")

    def said(self) -> Sequence[str]:
        """What is said, in overlapping pieces. Raises NotHeard without a speech recogniser."""
        raise NotHeard("needs a speech recogniser")
