"""Who speaks: one interface, and the voices that are installed."""

from __future__ import annotations

import asyncio
import importlib
import io
import itertools
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import PriorityQueue
from typing import Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from earwitness.errors import InfrastructureError, InputError

ESPEAK = "espeak-ng"
ESPEAK_SECONDS = 20.0
"""Longest wait for a clause of espeak-ng's; it speaks hundreds of times faster than people do."""
SEED = 15
"""Of a voice's breath noise: the same words sound the same."""


class Voice(Protocol):
    """A synthesiser."""

    name: str
    rate: int
    """Hz."""

    def __call__(self, clause: str) -> NDArray[np.float32]:
        """The clause as sound, `[samples]`, full scale at 1; empty if there is nothing to say. May take as long as it
        takes: it is called beside the event loop, one clause at a time.

        Raises InfrastructureError if it cannot speak.
        """


class Hibari:
    """hibari-tts: a network of 8 MB that comes with its package, 24 kHz, about 80 times as fast as speech on a core."""

    name = "hibari"
    rate = 24_000

    def __init__(self) -> None:
        """Raises ModuleNotFoundError where it is not installed."""
        self._speak = importlib.import_module("hibari").Hibari(threads=1)
        self("Ready.")  # what it loads at first use

    def __call__(self, clause: str) -> NDArray[np.float32]:
        """As `Voice`."""
        sound: NDArray[np.float32] = self._speak(clause, seed=SEED)
        return sound


class Espeak:
    """espeak-ng, where the system has it, as a program of its own (it is GPL, and no part of this one)."""

    name = ESPEAK
    rate = 22_050

    def __init__(self, program: str) -> None:
        self._program = program

    def __call__(self, clause: str) -> NDArray[np.float32]:
        """As `Voice`."""
        try:
            command = [self._program, "--stdin", "--stdout"]
            said = subprocess.run(
                command, input=clause.encode(), capture_output=True, timeout=ESPEAK_SECONDS, check=True
            )
            sound, rate = soundfile.read(io.BytesIO(said.stdout), dtype="float32")
        except (OSError, subprocess.SubprocessError, soundfile.LibsndfileError) as error:
            raise InfrastructureError("a clause to be spoken", ESPEAK_SECONDS, f"{ESPEAK}: {error}") from error
        assert rate == self.rate
        return np.asarray(sound, np.float32)


def installed_voice() -> Voice | None:
    """The best voice that is there; None where there is none."""
    try:
        return Hibari()
    except ModuleNotFoundError:
        program = shutil.which(ESPEAK)
        return Espeak(program) if program else None


class Speech:
    """The server's voice: found once, and asked by all sessions, one clause after another, the most urgent first."""

    def __init__(self, find: Callable[[], Voice | None] = installed_voice) -> None:
        self._find = find
        self._voice: Voice | None = None
        self._thread = ThreadPoolExecutor(1, "speech")
        self._numbers = itertools.count()
        self._waiting: PriorityQueue[tuple[float, int, str, Future[NDArray[np.float32]]]] = PriorityQueue()

    async def load(self) -> None:
        """Looks for a voice, and loads it."""
        self._voice = await asyncio.get_running_loop().run_in_executor(self._thread, self._find)

    @property
    def voice(self) -> Voice:
        """The voice. Raises InputError if there is none."""
        if self._voice is None:
            where = "['text']; or a voice on the server: pip install 'earwitness[speech]', or espeak-ng"
            raise InputError("output_modalities", "asks for sound, and this server has no voice", where)
        return self._voice

    async def say(self, clause: str, due: float) -> NDArray[np.float32]:
        """The clause as sound, which is to be played from `due` on, a time of any clock that all share. Raises as
        `Voice` does."""
        sound = Future[NDArray[np.float32]]()
        self._waiting.put((due, next(self._numbers), clause, sound))
        self._thread.submit(self._say_next, self.voice)
        return await asyncio.wrap_future(sound)

    def _say_next(self, voice: Voice) -> None:
        _, _, clause, sound = self._waiting.get_nowait()
        if sound.set_running_or_notify_cancel():
            try:
                sound.set_result(voice(clause))
            except Exception as error:  # noqa: BLE001 (who waits for the sound raises it)
                sound.set_exception(error)
