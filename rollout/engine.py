"""vLLM behind five verbs: start, generate a group, serve another weight version, interrupt, stop.

Each sample has a seed of its own (`sample_seed`), so that a task gives the same trajectories wherever it runs.
Log-probs are those of the sampling distribution (after the temperature), and each token knows its weight version: vLLM
labels every step's tokens with the version in force.

**Prefix cache and new weights.** vLLM can empty its prefix cache only when nothing runs. Instead every prompt carries
the version it was submitted under as a salt (and in the name of its clip): after an update no new prompt finds what
older weights computed, while requests in flight keep what they have.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncGenerator, Collection, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import xxhash
from vllm import SamplingParams
from vllm.distributed.weight_transfer.base import WeightTransferInitRequest, WeightTransferUpdateRequest
from vllm.engine.protocol import StreamingInput
from vllm.exceptions import VLLMClientError
from vllm.outputs import CompletionOutput, RequestOutput
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError

from earwitness.errors import InputError
from earwitness.wire.trajectory.v1 import trajectory_pb2
from rollout.arguments import arguments, environment
from rollout.contract import BrokenEngineError, EngineConfig, FetchError, Served, Sync
from rollout.prompts import EncodedPrompt, PromptCodec
from rollout.thinking import cut, holds, thought_end
from rollout.weight_engine import FETCHED, FETCHING

SEED_BITS = 62
"""Bits of a group's seed: the index of the sample is added, and the sum must stay a signed 64-bit number."""
ALIVE_SECONDS = 1.0
"""Pause between two looks whether an engine that is waited for still lives."""
FINISH_REASONS: dict[str | None, trajectory_pb2.FinishReason] = {
    "stop": trajectory_pb2.FINISH_REASON_STOP,
    "length": trajectory_pb2.FINISH_REASON_LENGTH,
    "abort": trajectory_pb2.FINISH_REASON_UNSPECIFIED,
}
"""vLLM's words; what was interrupted has no reason yet."""
FETCH_POLL_SECONDS = 0.02
"""Pause between two questions whether a fetch has ended; a toy's version takes about as long."""


class RolloutEngine:
    """One vLLM engine, which lives in a process of its own."""

    def __init__(self, config: EngineConfig, llm: AsyncLLM) -> None:
        self.config = config
        self.codec = PromptCodec(config.model_dir)
        self.served = None if config.weight_urls else Served("", 0)
        """The weights in use; none before the first version has been loaded."""
        self.tokens = 0
        """Tokens generated since start."""
        self.sync = Sync()
        cache = llm.vllm_config.cache_config
        self.kv_tokens = (cache.num_gpu_blocks or 0) * cache.block_size
        """Tokens whose keys and values fit in the cache."""
        self._llm = llm
        self._running: set[str] = set()
        self._interrupted = False
        self._pausing = asyncio.Lock()
        """Held by who pauses vLLM: another must not resume it meanwhile."""
        self._requests = itertools.count()

    @classmethod
    async def start(cls, config: EngineConfig) -> RolloutEngine:
        """Starts the engine's process and loads the model; takes tens of seconds, and leaves the event loop free."""
        os.environ.update(environment(config))
        llm = await asyncio.to_thread(AsyncLLM.from_engine_args, arguments(config))
        engine = cls(config, llm)
        if config.weight_urls:
            request = WeightTransferInitRequest({"urls": list(config.weight_urls)})
            await engine._while_alive(llm.init_weight_transfer_engine(request))
        return engine

    async def generate(
        self,
        prompt: trajectory_pb2.Prompt,
        sampling: trajectory_pb2.Sampling,
        *,
        ordinal: int,
        without_audio: bool = False,
        begun: Sequence[trajectory_pb2.Trajectory] = (),
    ) -> tuple[list[int], list[trajectory_pb2.Trajectory]]:
        """As `Engine.generate`."""
        if self.served is None:
            raise BrokenEngineError("no weight version has been loaded yet")
        encoded = await asyncio.to_thread(self.codec.encode, prompt, without_audio=without_audio)
        if begun:
            prompt_ids, trajectories = await self._go_on(prompt.id, encoded, sampling, ordinal, begun)
        elif sampling.HasField("think_tokens") or sampling.extend:
            thinking = [trajectory_pb2.Trajectory(index=index) for index in range(sampling.samples)]
            prompt_ids, trajectories = await self._go_on(prompt.id, encoded, sampling, ordinal, thinking)
        else:
            params = self._params(sampling, sample_seed(sampling.seed, ordinal), len(encoded.token_ids))
            params.n = sampling.samples
            output = await self._run(encoded, params, prompt.id)
            prompt_ids = list(output.prompt_token_ids or [])
            trajectories = [self._trajectory(sample, params.stop_token_ids) for sample in output.outputs]
        self.tokens += sum(len(t.token_ids) for t in trajectories) - sum(len(t.token_ids) for t in begun)
        return prompt_ids, trajectories

    async def _go_on(
        self,
        prompt_id: str,
        encoded: EncodedPrompt,
        sampling: trajectory_pb2.Sampling,
        ordinal: int,
        begun: Sequence[trajectory_pb2.Trajectory],
    ) -> tuple[list[int], list[trajectory_pb2.Trajectory]]:
        """Each unfinished trajectory as a request of its own, whose prompt ends in the tokens it has."""

        async def go_on(old: trajectory_pb2.Trajectory) -> tuple[list[int], trajectory_pb2.Trajectory]:
            seed = sample_seed(sampling.seed, ordinal, old.index, len(old.token_ids))
            params = self._params(sampling, seed, len(encoded.token_ids), len(old.token_ids))
            thinking = self._thinks_on(old, sampling)
            if thinking:
                params.max_tokens = min(params.max_tokens or thinking, thinking)
            longer = replace(encoded, token_ids=[*encoded.token_ids, *old.token_ids])
            output = await self._run(longer, params, prompt_id)
            (sample,) = output.outputs
            sample.index = old.index
            prompt_ids = list(output.prompt_token_ids or [])
            prompt_ids = prompt_ids[: len(prompt_ids) - len(old.token_ids)]
            trajectory = self._trajectory(sample, params.stop_token_ids, old)
            if thinking and sample.finish_reason == "length" and len(trajectory.token_ids) < sampling.max_tokens:
                cut(trajectory, len(trajectory.token_ids))
                return await go_on(trajectory)
            if trajectory.finish_reason and self._opens_again(trajectory, sampling):
                return await go_on(trajectory)
            return prompt_ids, trajectory

        unfinished = [t for t in begun if not t.finish_reason]
        results = await asyncio.gather(*map(go_on, unfinished))
        trajectories = sorted([*(t for t in begun if t.finish_reason), *(t for _, t in results)], key=lambda t: t.index)
        return results[0][0] if results else [], trajectories

    def _thinks_on(self, trajectory: trajectory_pb2.Trajectory, sampling: trajectory_pb2.Sampling) -> int:
        """Tokens that are left to its think block; 0 if there is no bound or it is closed, which is done here if due.

        The tokens say all of it, so that another worker may go on with what an interrupt has cut."""
        if not sampling.HasField("think_tokens") or self.codec.has_thought(list(trajectory.token_ids)):
            return 0
        left = sampling.think_tokens - len(trajectory.token_ids)
        if left > 0:
            return left
        self._insert(trajectory, self.codec.think_end)
        return 0

    def _opens_again(self, trajectory: trajectory_pb2.Trajectory, sampling: trajectory_pb2.Sampling) -> bool:
        """Whether its think block has ended for the first time and is to go on; the words that say so then stand
        there."""
        words = self.codec.ids(sampling.extend)
        end = thought_end(trajectory.token_ids, self.codec.text) if words else None
        if end is None or end + len(words) >= sampling.max_tokens or holds(trajectory.token_ids[:end], words):
            return False
        cut(trajectory, end)
        self._insert(trajectory, words)
        return True

    def _insert(self, trajectory: trajectory_pb2.Trajectory, token_ids: list[int]) -> None:
        """Tokens that were not drawn."""
        assert self.served is not None
        trajectory.token_ids.extend(token_ids)
        trajectory.logprobs.extend([0.0] * len(token_ids))
        self._add_span(trajectory, f"{self.served.lineage} {self.served.version}", len(token_ids))

    def _params(
        self, sampling: trajectory_pb2.Sampling, seed: int, prompt_tokens: int, generated: int = 0
    ) -> SamplingParams:
        room = self.config.max_model_len - prompt_tokens
        return SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p or 1.0,
            seed=seed,
            max_tokens=max(1, min(sampling.max_tokens, room) - generated),
            stop_token_ids=self.codec.stop_tokens(sampling),
            logprobs=0,  # of the sampled token, and no others
            flat_logprobs=True,
            detokenize=False,  # done once at the end, by the codec
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    async def serve(self, lineage: str, version: int) -> None:
        """As `Engine.serve`."""
        await self._while_alive(self._update(lineage, version))

    async def interrupt(self) -> None:
        """As `Engine.interrupt`. vLLM first finishes the step it is in, so that its tokens are among those returned."""
        self._interrupted = True
        await self._while_alive(self._abort_running())

    async def _abort_running(self) -> None:
        async with self._pausing:
            try:
                await self._llm.pause_generation(mode="keep", clear_cache=False)
                await self._llm.abort(list(self._running))
            except EngineDeadError as error:
                raise BrokenEngineError("the engine died before it could be interrupted") from error

    def check(self) -> None:
        """As `Engine.check`."""
        if self._llm.errored:
            raise BrokenEngineError("vLLM's process has died")

    def stop(self) -> None:
        """Ends the engine's process."""
        self._llm.shutdown(timeout=0)

    async def _update(self, lineage: str, version: int) -> None:
        llm = self._llm
        started = time.perf_counter()
        nbytes, held_by = await self._fetch(lineage, version)
        async with self._pausing:
            paused = time.perf_counter()
            await llm.pause_generation(mode="keep", clear_cache=False)
            try:
                which = {"lineage": lineage, "version": version, "held_by": held_by}
                await llm.start_weight_update()
                await llm.update_weights(WeightTransferUpdateRequest(which))
                await llm.finish_weight_update(f"{lineage} {version}")
            except Exception as error:
                self.served = None
                raise BrokenEngineError(f"loading version {version} of {lineage} failed: {error}") from error
            self.served = Served(lineage, version)
            await llm.resume_generation()
            self.sync = Sync(paused - started, time.perf_counter() - paused, nbytes)

    async def _while_alive(self, work: Coroutine[Any, Any, None]) -> None:
        """Does it. Raises BrokenEngineError if the engine dies meanwhile: vLLM lets such calls wait for ever."""
        task = asyncio.create_task(work)
        try:
            while not (await asyncio.wait({task}, timeout=ALIVE_SECONDS))[0]:
                self.check()
            task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _fetch(self, lineage: str, version: int) -> tuple[int, list[str]]:
        """Waits until a process on every machine holds the version in memory, verified: the bytes that they fetched,
        and where they hold it."""
        await self._llm.collective_rpc("fetch_weights", args=(lineage, version))
        waiting = True
        while waiting:
            await asyncio.sleep(FETCH_POLL_SECONDS)
            states = await self._llm.collective_rpc("weight_fetch_state")
            waiting = any(kind == FETCHING for kind, *_ in states)
        for kind, detail, _ in states:
            if kind != FETCHED:
                raise FetchError(kind, detail)
        return sum(nbytes for *_, nbytes in states), [place for _, place, _ in states if place]

    def prompt(self, encoded: EncodedPrompt) -> dict[str, Any]:
        """As vLLM takes it."""
        assert self.served is not None
        salt = f"{self.served.lineage}:{self.served.version}"
        prompt: dict[str, Any] = {"prompt_token_ids": encoded.token_ids, "cache_salt": salt}
        if encoded.segments:
            prompt["multi_modal_data"] = {"audio": encoded.segments}
            prompt["multi_modal_uuids"] = {"audio": [f"{segment}:{salt}" for segment in encoded.segment_ids]}
        return prompt

    async def stream(
        self, prompt: dict[str, Any] | AsyncGenerator[StreamingInput], params: SamplingParams, prompt_id: str
    ) -> AsyncGenerator[RequestOutput, None]:
        """What vLLM says of a prompt, whole or in parts, as it comes; closing it aborts. Raises as `generate` does."""
        request_id = f"{prompt_id}-{next(self._requests)}"
        self._running.add(request_id)
        try:
            if self._interrupted:  # a paused vLLM would keep it waiting
                raise asyncio.CancelledError
            async with aclosing(self._llm.generate(prompt, params, request_id)) as outputs:
                async for output in outputs:
                    yield output
        except (VLLMClientError, ValueError) as error:  # how vLLM and its processors refuse a request
            raise InputError(f"prompt {prompt_id}", str(error), "a prompt that the model can take") from error
        except EngineDeadError as error:
            raise BrokenEngineError(f"the engine died while it generated for prompt {prompt_id}") from error
        finally:
            self._running.discard(request_id)

    async def _run(self, encoded: EncodedPrompt, params: SamplingParams, prompt_id: str) -> RequestOutput:
        final: RequestOutput | None = None
        async with aclosing(self.stream(self.prompt(encoded), params, prompt_id)) as outputs:
            async for output in outputs:
                final = output
        if final is None:
            raise BrokenEngineError(f"the engine ended the request of prompt {prompt_id} without an answer")
        return final

    def _trajectory(
        self,
        sample: CompletionOutput,
        stop_tokens: Collection[int],
        before: trajectory_pb2.Trajectory | None = None,
    ) -> trajectory_pb2.Trajectory:
        """What the engine generated, behind what there was `before`. Raises BrokenEngineError for a nameless token."""
        if sample.finish_reason not in FINISH_REASONS:
            raise BrokenEngineError(f"vLLM ended a sample with {sample.finish_reason!r}")
        trajectory = trajectory_pb2.Trajectory(index=sample.index)
        if before is not None:
            trajectory.CopyFrom(before)
        new = list(sample.token_ids)
        trajectory.token_ids.extend(new)
        trajectory.logprobs.extend(sample.logprobs.logprobs if new else [])
        for span in sample.weight_versions or []:
            self._add_span(trajectory, span.version, span.end - span.start)
        if sum(span.tokens for span in trajectory.versions) != len(trajectory.token_ids):
            raise BrokenEngineError(f"a sample has {len(trajectory.token_ids)} tokens, not all of them with a version")
        trajectory.finish_reason = FINISH_REASONS[sample.finish_reason]
        if trajectory.finish_reason:
            trajectory.text = self.codec.decode(list(trajectory.token_ids), stop_tokens)
        return trajectory

    def _add_span(self, trajectory: trajectory_pb2.Trajectory, name: str, tokens: int) -> None:
        lineage, _, number = name.rpartition(" ")
        if lineage and number.isdigit():
            version = int(number)
        elif self.config.weight_urls or self.served is None:
            raise BrokenEngineError(f"tokens of weight version {name!r}, which was never loaded")
        else:
            lineage, version = self.served.lineage, self.served.version
        last = trajectory.versions[-1] if trajectory.versions else None
        if last is not None and (last.lineage, last.version) == (lineage, version):
            last.tokens += tokens
        else:
            trajectory.versions.add(version=version, tokens=tokens, lineage=lineage)


def sample_seed(seed: int, ordinal: int, index: int = 0, generated: int = 0) -> int:
    """Seed of sample `index` of a group; those of whole groups follow one another, as vLLM numbers them.

    A sample that goes on elsewhere after `generated` tokens has another: drawing the same numbers once more would make
    the continuation depend on the beginning. So where it was cut decides how it goes on, and nothing else does.
    """
    parts = [seed, ordinal, index, generated] if generated else [seed, ordinal]
    digest = xxhash.xxh3_64_intdigest(b"".join(part.to_bytes(8, "little") for part in parts)) >> (64 - SEED_BITS)
    return digest if generated else digest + index
