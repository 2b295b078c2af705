"""A question, its answer, and who answers: what the rest of the server needs of an engine, without vLLM."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from serving.thinking import Said


@dataclass(frozen=True)
class Question:
    """What is asked."""

    text: str
    clips: tuple[NDArray[np.float32], ...] = ()
    """Clips in order, each `[samples]`, 16 kHz mono."""
    temperature: float = 0.0
    """0: the likeliest token each time."""
    top_p: float = 1.0
    seed: int | None = None
    longest: int = 0
    """Most tokens of the response; 0 for as many as there is room for."""
    at: tuple[int, ...] = ()
    """Of several clips, the characters of `text` before each; one alone stands where the model's family puts it."""
    segment_seconds: float | None = None
    """A clip that is alone is heard in segments of that length; None: as its family hears it."""
    between: int = 0
    """Most tokens that are thought behind each segment while the next one is being spoken."""
    think_tokens: int | None = None
    """Most tokens of the think block behind the clip, which is closed then; None: the model closes it."""
    while_speaking: bool = False
    """Thoughts and words alternate, in segments of `think_tokens`."""
    left: Callable[[], float] | None = None
    """Seconds of sound that are there and still to be heard: as long as they suffice, it thinks on. None: an answer
    in words, whose segments take turns."""

    @property
    def plain(self) -> bool:
        """Whether it is answered as models are taught to."""
        return self.cut_seconds is None and self.think_tokens is None

    @property
    def cut_seconds(self) -> float | None:
        """Length of the segments that its clips are cut into; None: as their family hears them."""
        return self.segment_seconds if len(self.clips) < 2 else None


@dataclass
class Tokens:
    """What an answer took, and how it ended."""

    prompt: int = 0
    cached: int = 0
    """Those of the prompt that had been computed when the answer was asked for."""
    reasoning: int = 0
    """Also those that were drawn while it listened."""
    answer: int = 0
    weights: str = ""
    """Lineage and version that the newest token is of, where a job is followed."""
    finish: str = "stop"
    """`stop`, or `length` for an answer that was cut off."""


class Listening(Protocol):
    """A question whose clip is still being spoken: each segment is computed as soon as it is whole."""

    text: str
    """The question."""

    def hear(self, segment: NDArray[np.float32]) -> None:
        """One more segment `[samples]`, 16 kHz. Returns at once."""

    def answer(
        self, question: Question, tokens: Tokens, rest: Sequence[NDArray[np.float32]]
    ) -> AsyncGenerator[Said, None]:
        """As `Talker.answer`, once; `rest`: the last segments of the clip. `question` has the same words."""

    async def close(self) -> None:
        """Frees what it holds. May be called again."""


class Talker(Protocol):
    """Answers, many at a time."""

    @property
    def room(self) -> int:
        """Most sessions whose keys and values fit at a time, each of the longest."""

    async def listen(self, question: Question) -> Listening:
        """Begins to listen to the clip of a question, whose `clips` are not looked at. Raises BrokenEngineError if the
        engine has died."""

    def answer(self, question: Question, tokens: Tokens) -> AsyncGenerator[Said, None]:
        """The response, piece by piece; counts into `tokens`. Closing the generator ends the generation.

        Raises InputError for a question that the model cannot take, BrokenEngineError if the engine has died.
        """

    def check(self) -> None:
        """Raises BrokenEngineError if the engine has died."""

    def stop(self) -> None:
        """Ends the engine; answers in progress are lost."""
