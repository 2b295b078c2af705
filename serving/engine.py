"""The talker that is vLLM. Importing this takes seconds."""

from __future__ import annotations

import itertools
from asyncio import to_thread
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import torch
from vllm import SamplingParams
from vllm.outputs import CompletionOutput
from vllm.sampling_params import RequestOutputKind

from earwitness.errors import InputError
from earwitness.wire.trajectory.v1 import trajectory_pb2
from rollout.contract import EngineConfig
from rollout.engine import RolloutEngine
from rollout.kernels import require_kernels
from serving.settings import Settings
from serving.talk import Question, Tokens
from serving.thinking import Said, Thinking


class EngineTalker:
    """As `Talker`."""

    def __init__(self, engine: RolloutEngine) -> None:
        self._engine = engine
        self._numbers = itertools.count()

    @classmethod
    async def start(cls, settings: Settings) -> EngineTalker:
        """Starts the engine's process and loads the model: tens of seconds, which leave the event loop free."""
        require_kernels()
        dtype = "bfloat16" if torch.cuda.is_available() else "float32"
        config = EngineConfig(str(settings.model_dir), dtype=dtype, max_model_len=settings.max_length())
        return cls(await RolloutEngine.start(config))

    def check(self) -> None:
        """As `Talker.check`."""
        self._engine.check()

    def stop(self) -> None:
        """As `Talker.stop`."""
        self._engine.stop()

    async def answer(self, question: Question, tokens: Tokens) -> AsyncGenerator[Said, None]:
        """As `Talker.answer`."""
        codec = self._engine.codec
        prompt = trajectory_pb2.Prompt(id=f"chat{next(self._numbers)}", question=question.text)
        encoded = await to_thread(codec.encode_heard, prompt, [] if question.samples is None else [question.samples])
        params = self._params(question, len(encoded.token_ids))
        thinking, piece = Thinking(), codec.pieces()
        try:
            async with aclosing(self._engine.stream(encoded, params, prompt.id)) as outputs:
                async for output in outputs:
                    tokens.prompt = len(output.prompt_token_ids or [])
                    if any(said := self._said(output.outputs[0], thinking, piece, tokens)):
                        yield said
        except InputError as error:  # it names the engine's request
            raise InputError("messages", error.problem, error.expected) from error

    def _said(self, sample: CompletionOutput, thinking: Thinking, piece: Callable[[int], str], tokens: Tokens) -> Said:
        """What the newest tokens of a response say."""
        reasoning = answer = ""
        for token in sample.token_ids:
            if thinking.closed:
                tokens.answer += 1
            else:
                tokens.reasoning += 1
            if token not in self._engine.codec.stop_ids:
                said = thinking.take(piece(token))
                reasoning, answer = reasoning + said.reasoning, answer + said.answer
        if sample.finish_reason is not None:
            tokens.finish = sample.finish_reason
            reasoning += thinking.end().reasoning
        return Said(reasoning, answer)

    def _params(self, question: Question, prompt_tokens: int) -> SamplingParams:
        room = self._engine.config.max_model_len - prompt_tokens
        if room < 1:
            most = self._engine.config.max_model_len
            raise InputError("messages", f"take {prompt_tokens} tokens", f"fewer than {most}, with the clip's")
        return SamplingParams(
            temperature=question.temperature,
            top_p=question.top_p,
            seed=question.seed,
            max_tokens=min(question.longest or room, room),
            stop_token_ids=self._engine.codec.stop_ids,
            detokenize=False,  # done here, token by token
            output_kind=RequestOutputKind.DELTA,
        )
