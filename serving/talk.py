"""A question, its answer, and who answers: what the rest of the server needs of an engine, without vLLM."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from serving.thinking import Said


@dataclass(frozen=True)
class Question:
    """What is asked."""

    text: str
    samples: NDArray[np.float32] | None = None
    """The clip `[samples]`, 16 kHz mono."""
    temperature: float = 0.0
    """0: the likeliest token each time."""
    top_p: float = 1.0
    seed: int | None = None
    longest: int = 0
    """Most tokens of the response; 0 for as many as there is room for."""


@dataclass
class Tokens:
    """What an answer took, and how it ended."""

    prompt: int = 0
    reasoning: int = 0
    answer: int = 0
    weights: str = ""
    """Lineage and version that the newest token is of, where a job is followed."""
    finish: str = "stop"
    """`stop`, or `length` for an answer that was cut off."""


class Talker(Protocol):
    """Answers, many at a time."""

    def answer(self, question: Question, tokens: Tokens) -> AsyncGenerator[Said, None]:
        """The response, piece by piece; counts into `tokens`. Closing the generator ends the generation.

        Raises InputError for a question that the model cannot take, BrokenEngineError if the engine has died.
        """

    def check(self) -> None:
        """Raises BrokenEngineError if the engine has died."""

    def stop(self) -> None:
        """Ends the engine; answers in progress are lost."""
