"""A server whose talker says what it is told, asked over ASGI."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile

from earwitness.audio import SAMPLE_RATE
from earwitness.log import get_logger
from earwitness.probe.sound import tone
from serving.app import Server
from serving.settings import Settings
from serving.speech.voice import Speech
from serving.talk import Question, Tokens
from serving.thinking import Said, Thinking

ROOT = Path(__file__).parents[3]
LISTENER = ROOT / "models" / "listener"
RESPONSE = "The tone is near 440 Hz.\n</think>\n440 Hz"
CHAT = "/v1/chat/completions"


class Parrot:
    """A talker without a model."""

    room = 64

    def __init__(self, response: str | Exception = RESPONSE) -> None:
        self.response = response
        self.asked: list[Question] = []
        self.perches: list[Perch] = []
        self.closed = 0
        """Answers that have ended, however."""

    async def answer(self, question: Question, tokens: Tokens) -> AsyncGenerator[Said, None]:
        """The response, letter by letter."""
        self.asked.append(question)
        tokens.prompt = 7
        thinking = Thinking()
        try:
            for letter in self._said():
                tokens.reasoning += not thinking.closed
                tokens.answer += thinking.closed
                yield thinking.take(letter)
        finally:
            self.closed += 1

    def _said(self) -> str:
        if isinstance(self.response, Exception):
            raise self.response
        return self.response

    async def listen(self, question: Question) -> Perch:
        """To the clip of a question."""
        self.perches.append(Perch(self, question.text, question.between))
        return self.perches[-1]

    def check(self) -> None:
        """It lives."""

    def stop(self) -> None:
        """Nothing to end."""


class Slow(Parrot):
    """Says one word, and the rest when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    async def answer(self, question: Question, tokens: Tokens) -> AsyncGenerator[Said, None]:
        """As `Parrot`'s."""
        first = True
        try:
            async for said in super().answer(question, tokens):
                if not first:
                    await self.go_on.wait()
                first = False
                yield said
        finally:
            self.closed += 1


@dataclass
class Perch:
    """Where a parrot listens."""

    parrot: Parrot
    text: str
    between: int
    heard: list[np.ndarray] = field(default_factory=list)
    closed: bool = False

    def hear(self, segment: np.ndarray) -> None:
        """One more."""
        assert not self.closed
        self.heard.append(segment)

    def answer(self, question: Question, tokens: Tokens, rest: Sequence[np.ndarray]) -> AsyncGenerator[Said, None]:
        """What the parrot says."""
        assert question.text == self.text
        self.heard += rest
        tokens.cached = len(self.heard)
        return self.parrot.answer(question, tokens)

    async def close(self) -> None:
        """It hears no more."""
        self.closed = True


class Hum:
    """A voice that hums: a tone of 300 Hz, a twentieth of a second for each letter."""

    name, rate = "hum", 16_000
    letter_seconds = 0.05

    def __init__(self) -> None:
        self.said: list[str] = []

    def __call__(self, clause: str) -> np.ndarray:
        """The clause as sound."""
        self.said.append(clause)
        return (0.1 * tone(self.letter_seconds * len(clause), 300.0)).astype(np.float32)


def server(talker: Any = None, voice: Any = None, **settings: Any) -> Server:
    """A server of the shipped listener's name and length."""
    made = Server(Settings(LISTENER, **settings), get_logger("serve"))
    made.talker = talker or Parrot()
    made.speech = Speech(lambda: voice)
    return made


def client(of: Server, base: str = "http://127.0.0.1:8000", **headers: str) -> httpx.AsyncClient:
    """Somebody who asks it."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(of.app()), base_url=base, headers=headers)


def wav(samples: np.ndarray | None = None, rate: int = SAMPLE_RATE) -> bytes:
    """A file; of a tone of 440 Hz, if nothing is given."""
    held = io.BytesIO()
    soundfile.write(held, tone(1.0, 440.0) * 0.1 if samples is None else samples, rate, format="WAV")
    return held.getvalue()


def heard(data: bytes | None = None) -> dict[str, Any]:
    """The part of a message that holds a clip."""
    encoded = base64.b64encode(wav() if data is None else data).decode()
    return {"type": "input_audio", "input_audio": {"data": encoded, "format": "wav"}}


def question(*parts: Any, **more: Any) -> dict[str, Any]:
    """A request."""
    content: Sequence[Any] = parts or [heard(), {"type": "text", "text": "How high is the tone?"}]
    return {"model": "listener", "messages": [{"role": "user", "content": list(content)}], **more}
