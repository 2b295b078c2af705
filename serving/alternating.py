"""Thinks while it speaks: segments of the think block and of the answer alternate, drawn from the same weights.

Mind-paced speaking (arXiv 2510.09592): the answer so far goes on behind the thoughts so far, as if they were all. The
thoughts are one request, whose keys and values stay; each segment of the answer is a request of its own behind them,
of which vLLM's prefix cache has all but the last block, the words that close the think block, and what has been said.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from rollout.prompts import EncodedPrompt
from rollout.thinking import thought_end
from serving.decoding import Decoding, at_most
from serving.talk import Question, Tokens
from serving.thinking import Said

if TYPE_CHECKING:
    from vllm import SamplingParams

    from serving.listening import EngineListening

MARGIN = 2.0
"""There is time to think on while the sound that is still to be played lasts so many times as long as the last segment
of thoughts took: the next words must be drawn and spoken too."""


class Alternating:
    """One answer."""

    def __init__(
        self,
        listening: EngineListening,
        params: SamplingParams,
        question: Question,
        tokens: Tokens,
        thinking: Decoding,
    ) -> None:
        """`params` bounds thoughts and answer together; `thinking` has read what was thought before."""
        self._listening, self._params, self._question, self._tokens = listening, params, question, tokens
        self._codec = listening.engine.codec
        self._thinking, self._speaking = thinking, Decoding(self._codec, tokens)
        self._speaking.read(self._codec.think_end)
        self._thoughts: list[int] = []
        self._said: list[int] = []
        self._thinks = True
        self._took = 0.0
        """Seconds of the last segment of thoughts."""

    async def run(self, part: EncodedPrompt) -> AsyncGenerator[Said, None]:
        """Thoughts and words, behind the last part of the prompt."""
        size = self._question.think_tokens or 0
        while True:
            if self._thinks:
                async for said in self._think(part, size):
                    yield said
                part = EncodedPrompt(self._thoughts[-1:], [], [])  # vLLM has thrown it away
            while True:
                async for said in self._speak(size if self._thinks else self._room):
                    yield said
                if self._tokens.finish != "length" or not self._room:
                    yield self._speaking.end()
                    return
                if self._thinks and self._may_think():
                    break

    @property
    def _room(self) -> int:
        """Tokens that may still be drawn."""
        used = len(self._thoughts) + len(self._said) + len(self._codec.think_end)
        return max(0, (self._params.max_tokens or 0) - used)

    def _may_think(self) -> bool:
        left = self._question.left
        return left is None or left() > MARGIN * self._took

    async def _think(self, part: EncodedPrompt, size: int) -> AsyncGenerator[Said, None]:
        began = time.monotonic()
        async for sample in self._listening.step(part, at_most(self._params, min(size, self._room))):
            self._thoughts.extend(sample.token_ids)
            yield Said(self._thinking.take(sample).reasoning)
        self._took = time.monotonic() - began
        end = thought_end(self._thoughts, self._codec.text)
        # A segment must be left for the words, and a think block that ends is not followed by its own answer.
        self._thinks = end is None and self._tokens.finish == "length" and self._room > 2 * size
        del self._thoughts[len(self._thoughts) if end is None else end :]

    async def _speak(self, size: int) -> AsyncGenerator[Said, None]:
        behind = [*self._thoughts, *self._codec.think_end, *self._said]
        async for sample in self._listening.aside(behind, at_most(self._params, min(size, self._room))):
            self._said.extend(sample.token_ids)
            yield self._speaking.take(sample)
