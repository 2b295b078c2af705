"""An answer on its way to a listener's ear: words in, sound out at the pace at which it is played."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable

import numpy as np
import soxr
from numpy.typing import NDArray

from serving.figures import UNDERRUNS
from serving.realtime.formats import G711, Pcm, encoded
from serving.speech.clauses import Clauses
from serving.speech.playback import Spoken
from serving.speech.voice import Speech

AHEAD_SECONDS = 1.0
"""Sound goes out so long before it is played: enough for a slow moment of a network, and little to take back when the
listener interrupts."""
PIECE_SECONDS = 0.1
"""Least sound of an event, but for the last of a clause; the first holds all that may go at once."""


class Speaker:
    """Speaks one answer. Its clauses are made while earlier ones are played."""

    def __init__(self, speech: Speech, of: Pcm | G711, emit: Callable[[str], Awaitable[None]]) -> None:
        """`emit` sends a piece of sound, in base64."""
        self.spoken = Spoken()
        self._speech = speech
        self._format = of
        self._emit = emit
        self._clauses = Clauses()
        self._waiting: asyncio.Queue[str | None] = asyncio.Queue()

    def take(self, words: str) -> None:
        """More of the answer."""
        for clause in self._clauses.take(words):
            self._waiting.put_nowait(clause)

    def end(self) -> None:
        """There is no more."""
        for clause in self._clauses.end():
            self._waiting.put_nowait(clause)
        self._waiting.put_nowait(None)

    def left(self) -> float:
        """Seconds of sound that have been made and are still to be played."""
        return sum(lasts for _, lasts in self.spoken.clauses) - self.spoken.played(time.monotonic())

    async def run(self) -> None:
        """Until all of it has gone out. Raises as the voice does."""
        rate = self._format.rate
        making = asyncio.create_task(self._next())
        try:
            while (sound := await making) is not None:
                making = asyncio.create_task(self._next())  # while this one goes out
                while len(sound):
                    await asyncio.sleep(self.spoken.ahead(time.monotonic()) + PIECE_SECONDS - AHEAD_SECONDS)
                    room = AHEAD_SECONDS - self.spoken.ahead(time.monotonic())
                    piece, sound = np.split(sound, [int(max(room, PIECE_SECONDS) * rate)])
                    await self._emit(base64.b64encode(encoded(piece, self._format)).decode())
                    self.spoken.send(len(piece) / rate, time.monotonic())
        finally:
            UNDERRUNS.inc(self.spoken.underruns)
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)

    async def _next(self) -> NDArray[np.float32] | None:
        """The next clause as sound; None behind the last."""
        clause = await self._waiting.get()
        if clause is None:
            return None
        rate = self._speech.voice.rate
        sound = await self._speech.say(clause, time.monotonic() + self.left())
        if rate != self._format.rate:
            sound = await asyncio.to_thread(soxr.resample, sound, rate, self._format.rate)
        self.spoken.clauses.append((clause, len(sound) / self._format.rate))
        return sound
