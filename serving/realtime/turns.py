"""Whose turn it is: from what each frame of a microphone is, when somebody begins to speak and when they have ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

FRAME_SECONDS = 0.032
"""What the network looks at at once."""
BEGIN_FRAMES = 2
"""Speech begins when it has lasted so many frames: about 100 ms, for the network is a frame behind."""
SURE = 0.95
"""Words from nearby that are so likely speech begin it at once: 32 ms less until somebody who interrupts is heard. Of
150 knocks, bells, buzzes and bursts of noise one is, and four last for two frames of 0.5."""
HUM_FRAMES = 25
"""A hum longer than this (0.8 s) interrupts after all: "mhm" takes 0.3 to 0.7 s."""
HYSTERESIS = 0.15
"""Speech that has begun goes on as long as it is so much less probable than its beginning had to be: Silero's own."""
FORGIVEN_FRAMES = 2
"""Frames between sounds of one beginning: the closure of a "t"."""


class Edge(Enum):
    """What has happened."""

    STARTED = auto()
    STOPPED = auto()


@dataclass(frozen=True)
class Frame:
    """What is known of a frame."""

    speech: float
    """Probability."""
    near: bool = True
    """It is not much softer than the one who has been speaking."""
    bright: bool = True
    """It has sound above 1 kHz, as words have and a hum through closed lips ("mhm") has not."""


class Turns:
    """One speaker. Times are counted in frames since the start."""

    def __init__(self, threshold: float, silence_seconds: float) -> None:
        self.threshold = threshold
        """Probability from which a frame is speech."""
        self.began = 0
        """Frame with which the newest speech began."""
        self.speaking = False
        self.frames = 0
        """Frames that have been taken."""
        self._patience = max(1, round(silence_seconds / FRAME_SECONDS))
        self._heard = self._near = self._words = self._silent = 0

    def take(self, frame: Frame, *, answering: bool) -> Edge | None:
        """The next frame. While there is an answer on its way (`answering`), only words from nearby begin a turn."""
        self.frames += 1
        if self.speaking:
            ended = frame.speech < self.threshold - HYSTERESIS
            self._silent = self._silent + 1 if ended else 0
            if self._silent < self._patience:
                return None
            self.stop()
            return Edge.STOPPED
        if frame.speech < self.threshold:
            self._silent += 1
            if self._silent > FORGIVEN_FRAMES:
                self._forget()
            return None
        self._silent = 0
        if not self._heard:
            self.began = self.frames - 1
        self._heard += 1
        self._near += frame.near
        word = frame.near and frame.bright
        self._words += word
        words = self._words > 0 or self._near > HUM_FRAMES
        sure = word and frame.speech >= SURE
        begins = sure or (self._heard >= BEGIN_FRAMES and (words or not answering))
        self.speaking = begins
        return Edge.STARTED if begins else None

    @property
    def paused_frames(self) -> int:
        """How long the speaker, whose turn it still is, has been silent."""
        return self._silent if self.speaking else 0

    def stop(self) -> None:
        """The turn has ended, however."""
        self.speaking = False
        self._forget()

    def _forget(self) -> None:
        self._heard = self._near = self._words = self._silent = 0
