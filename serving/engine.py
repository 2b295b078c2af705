"""The talker that is vLLM. Importing this takes seconds."""

from __future__ import annotations

import itertools
from asyncio import to_thread
from collections.abc import AsyncGenerator
from contextlib import aclosing

import torch
from vllm import SamplingParams
from vllm.sampling_params import RequestOutputKind

from earwitness.errors import InputError
from earwitness.wire.trajectory.v1 import trajectory_pb2
from rollout.contract import EngineConfig
from rollout.engine import RolloutEngine
from rollout.kernels import require_kernels
from serving.decoding import Decoding
from serving.listening import EngineListening
from serving.settings import Settings
from serving.talk import Question, Tokens
from serving.thinking import Said


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

    @property
    def room(self) -> int:
        """As `Talker.room`. One more has room, that whoever waits for the others to go on is not waited for by them."""
        return max(1, self._engine.kv_tokens // self._engine.config.max_model_len - 1)

    def check(self) -> None:
        """As `Talker.check`."""
        self._engine.check()

    def stop(self) -> None:
        """As `Talker.stop`."""
        self._engine.stop()

    async def listen(self, question: Question) -> EngineListening:
        """As `Talker.listen`."""
        self.check()
        return EngineListening(self._engine, question, f"heard{next(self._numbers)}", self._params)

    async def answer(self, question: Question, tokens: Tokens) -> AsyncGenerator[Said, None]:
        """As `Talker.answer`."""
        pieces = self._whole(question, tokens) if question.plain else self._paced(question, tokens)
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    if any(piece):
                        yield piece
        except InputError as error:  # it names the engine's request
            raise InputError("messages", error.problem, error.expected) from error

    async def _whole(self, question: Question, tokens: Tokens) -> AsyncGenerator[Said, None]:
        codec = self._engine.codec
        placed = [trajectory_pb2.PlacedClip(at=at) for at in question.at]
        prompt = trajectory_pb2.Prompt(id=f"chat{next(self._numbers)}", question=question.text, clips=placed)
        encoded = await to_thread(codec.encode_heard, prompt, question.clips)
        params = self._params(question, len(encoded.token_ids))
        decoding = Decoding(codec, tokens)
        async with aclosing(self._engine.stream(self._engine.prompt(encoded), params, prompt.id)) as outputs:
            async for output in outputs:
                tokens.prompt = len(output.prompt_token_ids or [])
                tokens.cached = output.num_cached_tokens or 0
                yield decoding.take(output.outputs[0])
        yield decoding.end()

    async def _paced(self, question: Question, tokens: Tokens) -> AsyncGenerator[Said, None]:
        """An answer to a clip in segments, or with a think block of bounded length."""
        listening = await self.listen(question)
        try:
            codec, seconds = self._engine.codec, question.cut_seconds
            cut = [segment for clip in question.clips for segment in codec.cut(clip, seconds)]
            async with aclosing(listening.answer(question, tokens, cut)) as said:
                async for piece in said:
                    yield piece
        finally:
            await listening.close()

    def _params(self, question: Question, prompt_tokens: int) -> SamplingParams:
        room = self._engine.config.max_model_len - prompt_tokens
        if room < 1:
            most = self._engine.config.max_model_len
            raise InputError("messages", f"take {prompt_tokens} tokens", f"fewer than {most}, with the clips'")
        return SamplingParams(
            temperature=question.temperature,
            top_p=question.top_p,
            seed=question.seed,
            max_tokens=min(question.longest or room, room),
            stop_token_ids=self._engine.codec.stop_ids,
            detokenize=False,  # done here, token by token
            output_kind=RequestOutputKind.DELTA,
        )
