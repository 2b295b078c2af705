"""A clip that is heard while it is spoken: vLLM's streaming input, one request from the first segment to the answer.

Its keys and values stay: each part of the prompt is computed once, the question and what was heard of the clip before
its last sample. A part's request to vLLM must sample a token, which vLLM throws away when the next part comes.

Between segments the model may think: thoughts stand behind the segment after which they were drawn, in the human's
turn, and go on behind its end as the think block (chronological thinking, arXiv 2510.05150). Whoever has no more to
think says so by the token with which the next segment begins, which is the one that vLLM throws away.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

import numpy as np
from numpy.typing import NDArray
from vllm import SamplingParams
from vllm.engine.protocol import StreamingInput
from vllm.outputs import CompletionOutput
from vllm.sampling_params import RequestOutputKind

from earwitness.errors import InputError
from earwitness.families.family import THINK_END
from earwitness.hearing import check_segments
from rollout.contract import BrokenEngineError
from rollout.engine import RolloutEngine
from rollout.prompts import EncodedPrompt
from serving.alternating import Alternating
from serving.decoding import Decoding, at_most
from serving.talk import Question, Tokens
from serving.thinking import Said

STRIDE = 4
"""Thoughts that are drawn before it is looked whether there is more to hear, or to answer: who speaks does not wait."""
THOUGHTS_SHARE = 4
"""Thoughts while it listens take at most a fourth of what the model holds: the rest is the clip's and the answer's."""


class EngineListening:
    """As `Listening`."""

    def __init__(
        self, engine: RolloutEngine, question: Question, name: str, params: Callable[..., SamplingParams]
    ) -> None:
        """`params`: how an answer to a question behind so many tokens is drawn."""
        self.text = question.text
        self.engine = engine
        self._question = question
        self._name = name
        self._head, self._mark, self._tail = engine.codec.around(question.text)
        self._params = params
        self._segments: deque[NDArray[np.float32]] = deque()
        """Heard, and not yet computed."""
        self._ids: list[int] = []
        self._heard: list[NDArray[np.float32]] = []
        """The prompt so far, with the thoughts in it: tokens and segments."""
        self._length = 0
        """Tokens of the prompt so far."""
        self._thoughts: list[int] = []
        """Those that were drawn between segments."""
        self._again: list[int] = []
        """The last of them, where vLLM has thrown it away: the next part begins with it."""
        self._asked = False
        self._parts: asyncio.Queue[StreamingInput] = asyncio.Queue()
        self._nothing = SamplingParams(
            max_tokens=1, temperature=0, detokenize=False, output_kind=RequestOutputKind.DELTA
        )
        self._outputs = engine.stream(self._given(), self._nothing, name)
        self._computing: asyncio.Task[None] | None = None

    def hear(self, segment: NDArray[np.float32]) -> None:
        """As `Listening.hear`."""
        self._segments.append(segment)
        if self._computing is None or (self._computing.done() and not self._failed()):
            self._computing = asyncio.create_task(self._compute())

    def _failed(self) -> bool:
        computing = self._computing
        return computing is not None and (computing.cancelled() or computing.exception() is not None)

    async def _compute(self) -> None:
        """What has been heard, as one part, and what has come meanwhile as the next; else it thinks."""
        while self._segments and not self._asked:
            left = min(self._question.between, self.engine.config.max_model_len // THOUGHTS_SHARE - len(self._thoughts))
            if left <= 0:
                async for _ in self.step(self._part([]), self._nothing):
                    pass
            while left > 0 and await self._think(min(left, STRIDE)):
                left = 0 if self._segments or self._asked else left - STRIDE

    async def _think(self, most: int) -> bool:
        """Draws thoughts behind what has been heard; whether there may be more."""
        codec, part = self.engine.codec, self._part([])
        params = at_most(self._params(self._question, self._length), most)
        params.stop_token_ids = [*codec.stop_ids, self._mark[0], codec.ids(THINK_END)[0]]
        more = False
        async for sample in self.step(part, params):
            drawn = [token for token in sample.token_ids if token not in params.stop_token_ids]
            self._thoughts += drawn
            self._ids += drawn
            self._length += len(drawn)
            more = sample.finish_reason == "length"
        self._again = self._thoughts[-1:] if more else []
        return more

    async def answer(
        self, question: Question, tokens: Tokens, rest: Sequence[NDArray[np.float32]]
    ) -> AsyncGenerator[Said, None]:
        """As `Listening.answer`."""
        self._asked = True
        if self._computing is not None:
            await self._computing
        tokens.cached = self._length - len(self._thoughts)
        hears, alone = self.engine.codec.audio_tokens, not (self._heard or self._segments)
        self._segments.extend(one for one in rest if hears(len(one)) or (alone and one is rest[0]))
        part = self._part(self._tail)
        tokens.prompt = self._length - len(self._thoughts)
        decoding, params = Decoding(self.engine.codec, tokens), self._params(question, self._length)
        yield decoding.read(self._thoughts)
        if question.while_speaking:
            async for said in Alternating(self, params, question, tokens, decoding).run(part):
                yield said
            return
        ended = False
        if question.think_tokens is not None:
            last: Sequence[int] = []
            if question.think_tokens:
                async for sample in self.step(part, at_most(params, question.think_tokens)):
                    yield decoding.take(sample)
                    last = sample.token_ids[-1:]
                ended = tokens.finish != "length"
                part = EncodedPrompt(list(last), [], [])  # vLLM has thrown it away
            if decoding.thinks:
                closing = self.engine.codec.think_end
                yield decoding.read(closing)
                part.token_ids.extend(closing)
            drawn = tokens.reasoning + tokens.answer - len(self._thoughts)
            params = at_most(params, (params.max_tokens or 0) - drawn)
        if not ended and params.max_tokens:
            async for sample in self.step(part, params):
                yield decoding.take(sample)
        yield decoding.end()

    def _part(self, behind: Sequence[int]) -> EncodedPrompt:
        """The next part of the prompt: the segments that wait, and these tokens. Raises InputError for one too long."""
        codec, cut = self.engine.codec, list(self._segments)
        self._segments.clear()
        new = [*([] if self._length else self._head), *self._mark * len(cut), *behind]
        part, self._again = codec.part([*self._again, *new], cut), []
        self._ids += new
        self._heard += cut
        check_segments("messages", len(self._heard))
        self._length += len(new) + sum(codec.audio_tokens(len(segment)) - 1 for segment in cut)
        most = self.engine.config.max_model_len
        if self._length + (0 if behind else len(self._tail)) >= most:
            raise InputError("messages", f"take {self._length} tokens", f"fewer than {most}, with the clip's")
        return part

    async def _given(self) -> AsyncGenerator[StreamingInput, None]:
        while True:
            yield await self._parts.get()

    async def step(self, part: EncodedPrompt, params: SamplingParams) -> AsyncGenerator[CompletionOutput, None]:
        """One more part of the prompt, and what is generated behind it."""
        self._parts.put_nowait(StreamingInput(self.engine.prompt(part), params))
        try:
            async for output in self._outputs:
                sample = output.outputs[0]
                yield sample
                if sample.finish_reason is not None:
                    return
        except InputError as error:  # it names the engine's request
            raise InputError("messages", error.problem, error.expected) from error
        raise BrokenEngineError(f"the engine ended the request about {self.text!r} without an answer")

    async def aside(self, behind: Sequence[int], params: SamplingParams) -> AsyncGenerator[CompletionOutput, None]:
        """What is generated behind the whole prompt and these tokens, in a request of its own."""
        prompt = self.engine.prompt(self.engine.codec.part([*self._ids, *behind], self._heard))
        async with aclosing(self.engine.stream(prompt, params, self._name)) as outputs:
            async for output in outputs:
                yield output.outputs[0]

    async def close(self) -> None:
        """As `Listening.close`."""
        if self._computing is not None:
            self._computing.cancel()
            await asyncio.gather(self._computing, return_exceptions=True)
        await self._outputs.aclose()
