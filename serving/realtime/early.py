"""The clip that is being spoken, heard before it has ended."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import numpy as np
from numpy.typing import NDArray

from earwitness.errors import EarwitnessError
from serving.realtime.hearing import Hearing
from serving.talk import Listening, Question, Talker, Tokens
from serving.thinking import Said


class Early:
    """Of one session. It is worth no error: where it fails, or was for another question, the clip is heard whole."""

    def __init__(self, talker: Callable[[], Talker]) -> None:
        self._talker = talker
        self._listening: Listening | None = None
        self._rest: list[NDArray[np.float32]] = []
        self._ended = self._lost = False
        """Whether the clip has ended; whether a segment of it has not been heard."""

    async def hear(self, hearing: Hearing, question: Question, pause: float | None = None) -> None:
        """Segments that have become whole, of a clip that is asked about; `pause` as `Hearing.segment` has it."""
        while question.segment_seconds and (segment := hearing.segment(question.segment_seconds, pause)) is not None:
            if self._ended:
                await self.forget()
            if self._listening is not None and self._listening.text != question.text:
                await self.lose()
            if self._listening is None and not self._lost:
                try:
                    self._listening = await self._talker().listen(question)
                except EarwitnessError:  # who answers will say so
                    await self.lose()
            if self._listening is not None:
                self._listening.hear(segment)

    async def end(self, hearing: Hearing) -> None:
        """The clip has ended."""
        if self._ended:
            await self.forget()
        self._ended, rest = True, hearing.rest()
        self._rest = [rest] if len(rest) else []

    async def forget(self) -> None:
        """The next clip is another."""
        await self.lose()
        self._ended = self._lost = False

    async def lose(self) -> None:
        """What was heard of this clip is of no use."""
        listening, self._listening, self._lost = self._listening, None, True
        if listening is not None:
            await listening.close()

    async def answer(self, talker: Talker, question: Question, tokens: Tokens) -> AsyncGenerator[Said, None]:
        """From what was heard, once; else as the talker does."""
        listening = self._listening
        if listening is None or not self._ended or listening.text != question.text:
            await self.lose()
            pieces = talker.answer(question, tokens)
        else:
            self._listening = None
            pieces = listening.answer(question, tokens, self._rest)
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    if any(piece):
                        yield piece
        finally:
            if listening is not None:
                await listening.close()
