"""Sound that comes in: held until it is a clip, and listened to for whose turn it is."""

from __future__ import annotations

import asyncio
import binascii
from base64 import b64decode
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earwitness.errors import InputError
from serving.clips import Clip
from serving.errors import RefusedError
from serving.realtime.ears import Ears, load_network
from serving.realtime.events import AudioInput
from serving.realtime.formats import as_heard, clip_of_stream, decoded, most_bytes
from serving.realtime.turns import FRAME_SECONDS, Edge

LARGE_CHARS = 65_536
"""Base64 from this length on is read beside the event loop."""
LATE_SECONDS = 1.5
"""Sound that is kept before any speech is noticed, beside the padding: a hum is noticed after 0.8 s."""


class Hearing:
    """The microphone of one session."""

    def __init__(self) -> None:
        self.config = AudioInput()
        self._sound = bytearray()
        self._taken = 0
        """Bytes of the buffer that have been given away in segments."""
        self._dropped = 0
        """Bytes that came before those in the buffer."""
        self._ears: Ears | None = None
        self._network: Any = None
        """Of the ears; kept where they are taken off, for to load it costs as much as to hear two seconds."""

    async def configure(self, config: AudioInput) -> None:
        """Another format, or another way to tell turns. Raises InputError."""
        if config.format != self.config.format and self._sound:
            raise InputError(
                "session.audio.input.format", "changes while there is sound in the buffer", "a clear before"
            )
        if (config.turn_detection, config.format) != (self.config.turn_detection, self.config.format):
            vad, ears = config.turn_detection, None
            if vad is not None:
                self._network = self._network or await asyncio.to_thread(load_network)
                ears = Ears(self._network, config.format.rate, vad.threshold, vad.silence_duration_ms / 1_000)
            self._ears = ears
            self._dropped = -len(self._sound)  # time begins with the ears
        self.config = config

    async def append(self, audio: str, *, answering: bool) -> AsyncGenerator[tuple[Edge, int], None]:
        """More sound, in base64: when somebody begins to speak or ends, with milliseconds since the first sound, for
        who can commit it. Raises InputError for what is no base64 or too much."""
        of = self.config.format
        try:
            if len(audio) > LARGE_CHARS:
                data = await asyncio.to_thread(b64decode, audio, validate=True)
            else:
                data = b64decode(audio, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputError("audio", "is not base64", f"{of.type} in base64") from error
        most = most_bytes(of)
        if len(data) > most or (self._ears is None and len(self._sound) + len(data) > most):
            raise InputError("audio", "makes the clip too long", f"at most {most:,} bytes between commits")
        if self._ears is None:
            self._sound += data
            return
        size = int(FRAME_SECONDS * of.rate) * of.width
        for start in range(0, len(data), size):  # so that a turn ends where it ends, however much comes at once
            if start:  # others have their turn
                await asyncio.sleep(0)
            for edge in self._listen(self._ears, data[start : start + size], answering=answering):
                yield edge

    def _listen(self, ears: Ears, data: bytes, *, answering: bool) -> Iterator[tuple[Edge, int]]:
        of = self.config.format
        whole = len(self._sound) // of.width * of.width
        self._sound += data
        new = bytes(self._sound[whole : len(self._sound) // of.width * of.width])
        for edge in ears.take(decoded(new, of), answering=answering):
            at = ears.turns.frames * FRAME_SECONDS
            if edge is Edge.STARTED:
                at = max(0.0, ears.turns.began * FRAME_SECONDS - self._padding)
                self._drop(int(at * of.rate) * of.width - self._dropped)
            yield edge, round(1_000 * at)
        if ears.turns.speaking and len(self._sound) > most_bytes(of) - len(data):  # a model hears no more at once
            ears.turns.stop()
            yield Edge.STOPPED, round(1_000 * ears.turns.frames * FRAME_SECONDS)
        if not ears.turns.speaking:
            self._drop(len(self._sound) - int((self._padding + LATE_SECONDS) * of.rate) * of.width)

    @property
    def _padding(self) -> float:
        vad = self.config.turn_detection
        return vad.prefix_padding_ms / 1_000 if vad else 0.0

    def _drop(self, count: int) -> None:
        """Forgets the oldest bytes, whole samples of them."""
        count = max(0, count) // self.config.format.width * self.config.format.width
        del self._sound[:count]
        self._dropped += count

    def segment(self, seconds: float, pause: float | None = None) -> NDArray[np.float32] | None:
        """The next segment of the clip that is being spoken, once it is whole: `[samples]`, 16 kHz. A silence of
        `pause` seconds ends it before, where ears tell."""
        of = self.config.format
        size = int(seconds * of.rate) * of.width
        if self._ears and not self._ears.turns.speaking:
            return None
        if len(self._sound) < self._taken + size:
            if pause is None or not self._paused(pause):
                return None
            size = len(self._sound) // of.width * of.width - self._taken
        self._taken += size
        return as_heard(bytes(self._sound[self._taken - size : self._taken]), of)

    def _paused(self, seconds: float) -> bool:
        """Whether the speaker has been silent for so long, and there is sound before that which is no segment yet."""
        if self._ears is None or self._ears.turns.paused_frames * FRAME_SECONDS < seconds:
            return False
        of, turns = self.config.format, self._ears.turns
        began = (turns.frames - turns.paused_frames) * FRAME_SECONDS
        return self._taken < int(began * of.rate) * of.width - self._dropped

    def rest(self) -> NDArray[np.float32]:
        """What has not been given away in segments: `[samples]`, 16 kHz."""
        of = self.config.format
        return as_heard(bytes(self._sound[self._taken : len(self._sound) // of.width * of.width]), of)

    async def commit(self) -> Clip:
        """The sound so far is a clip. Raises RefusedError if there is none."""
        of = self.config.format
        data = bytes(self._sound[: len(self._sound) // of.width * of.width])
        if not data:
            raise RefusedError(
                400, "the buffer is empty; expected sound before a commit", "input_audio_buffer_commit_empty"
            )
        self.clear()
        return await asyncio.to_thread(clip_of_stream, data, of)

    def clear(self) -> None:
        """The sound so far is forgotten."""
        self._dropped += len(self._sound)
        self._taken = 0
        self._sound.clear()
        if self._ears:
            self._ears.turns.stop()
