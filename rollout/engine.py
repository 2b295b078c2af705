"""vLLM behind four verbs: start, generate a group, serve another weight version, stop.

Each sample has a seed of its own, so that a task gives the same trajectories wherever it runs. Log-probs are those of
the sampling distribution (after the temperature), and each token knows its weight version: vLLM labels every step's
tokens with the version in force.

**Prefix cache and new weights.** vLLM can empty its prefix cache only when nothing runs. Instead every prompt carries
the version it was submitted under as a salt (and in the name of its clip): after an update no new prompt finds what
older weights computed, while requests in flight keep what they have.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Coroutine
from typing import Any

import torch
import xxhash
from vllm import SamplingParams
from vllm.config.weight_transfer import WeightTransferConfig
from vllm.distributed.weight_transfer.base import WeightTransferInitRequest, WeightTransferUpdateRequest
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.exceptions import VLLMClientError
from vllm.outputs import CompletionOutput, RequestOutput
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError

from earwitness.errors import InputError
from earwitness.wire.trajectory.v1 import trajectory_pb2
from rollout.contract import BrokenEngineError, EngineConfig, FetchError, Served
from rollout.plugin import WEIGHT_BACKEND
from rollout.prompts import EncodedPrompt, PromptCodec
from rollout.weight_engine import FETCHED, FETCHING

BLOCK_TOKENS = 32
"""KV-cache block: whole blocks of a prompt are shared by its samples. The smallest that vLLM's CPU kernels like."""
MAX_SEQUENCES = 256
"""Most trajectories that are generated at a time."""
BATCHED_TOKENS = 4096
"""Most tokens of one step, prefill included."""
CPU_BATCHED_TOKENS = 96_000
"""The same on the CPU, and most audio tokens held: MAX_SEQUENCES different clips of 375 tokens; see below."""
CPU_KV_BYTES = 1 << 30
"""KV cache on the CPU; given so that vLLM does not run the model to find out what is left."""
SEED_BITS = 62
"""Bits of a group's seed: the index of the sample is added, and the sum must stay a signed 64-bit number."""
ALIVE_SECONDS = 1.0
"""Pause between two looks whether an engine that is waited for still lives."""
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
        self._llm = llm
        self._requests = itertools.count()

    @classmethod
    async def start(cls, config: EngineConfig) -> RolloutEngine:
        """Starts the engine's process and loads the model; takes tens of seconds, and leaves the event loop free."""
        os.environ.update(_environment(config))
        llm = await asyncio.to_thread(AsyncLLM.from_engine_args, _arguments(config))
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
    ) -> tuple[list[int], list[trajectory_pb2.Trajectory]]:
        """As `Engine.generate`."""
        if self.served is None:
            raise BrokenEngineError("no weight version has been loaded yet")
        encoded = await asyncio.to_thread(self.codec.encode, prompt, without_audio=without_audio)
        room = self.config.max_model_len - len(encoded.token_ids)
        params = SamplingParams(
            n=sampling.samples,
            temperature=sampling.temperature,
            top_p=sampling.top_p or 1.0,
            seed=group_seed(sampling.seed, ordinal),
            max_tokens=max(1, min(sampling.max_tokens, room)),
            stop_token_ids=self.codec.stop_ids,
            logprobs=0,  # of the sampled token, and no others
            flat_logprobs=True,
            detokenize=False,  # done once at the end, by the codec
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        output = await self._run(self._prompt(encoded), params, prompt.id)
        trajectories = [self._trajectory(sample) for sample in output.outputs]
        self.tokens += sum(len(t.token_ids) for t in trajectories)
        return list(output.prompt_token_ids or []), trajectories

    async def serve(self, lineage: str, version: int) -> None:
        """As `Engine.serve`."""
        await self._while_alive(self._update(lineage, version))

    def check(self) -> None:
        """As `Engine.check`."""
        if self._llm.errored:
            raise BrokenEngineError("vLLM's process has died")

    def stop(self) -> None:
        """Ends the engine's process."""
        self._llm.shutdown(timeout=0)

    async def _update(self, lineage: str, version: int) -> None:
        llm = self._llm
        await self._fetch(lineage, version)
        await llm.pause_generation(mode="keep", clear_cache=False)
        try:
            await llm.start_weight_update()
            await llm.update_weights(WeightTransferUpdateRequest({"lineage": lineage, "version": version}))
            await llm.finish_weight_update(str(version))
        except Exception as error:
            self.served = None
            raise BrokenEngineError(f"loading version {version} of {lineage} failed: {error}") from error
        self.served = Served(lineage, version)
        await llm.resume_generation()

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

    async def _fetch(self, lineage: str, version: int) -> None:
        """Waits until every worker holds the version in memory, verified."""
        await self._llm.collective_rpc("fetch_weights", args=(lineage, version))
        waiting = True
        while waiting:
            await asyncio.sleep(FETCH_POLL_SECONDS)
            states = await self._llm.collective_rpc("weight_fetch_state")
            waiting = any(kind == FETCHING for kind, _ in states)
        for kind, detail in states:
            if kind != FETCHED:
                raise FetchError(kind, detail)

    def _prompt(self, encoded: EncodedPrompt) -> dict[str, Any]:
        assert self.served is not None
        salt = f"{self.served.lineage}:{self.served.version}"
        prompt: dict[str, Any] = {"prompt_token_ids": encoded.token_ids, "cache_salt": salt}
        if encoded.samples is not None:
            prompt["multi_modal_data"] = {"audio": [encoded.samples]}
            prompt["multi_modal_uuids"] = {"audio": [f"{encoded.clip_id}:{salt}"]}
        return prompt

    async def _run(self, prompt: dict[str, Any], params: SamplingParams, prompt_id: str) -> RequestOutput:
        final: RequestOutput | None = None
        try:
            async for output in self._llm.generate(prompt, params, f"{prompt_id}-{next(self._requests)}"):
                final = output
        except (VLLMClientError, ValueError) as error:  # how vLLM and its processors refuse a request
            raise InputError(f"prompt {prompt_id}", str(error), "a prompt that the model can take") from error
        except EngineDeadError as error:
            raise BrokenEngineError(f"the engine died while it generated for prompt {prompt_id}") from error
        if final is None:
            raise BrokenEngineError(f"the engine ended the request of prompt {prompt_id} without an answer")
        return final

    def _trajectory(self, sample: CompletionOutput) -> trajectory_pb2.Trajectory:
        token_ids = list(sample.token_ids)
        spans = sample.weight_versions or []
        served = self.served.version if self.served else 0
        return trajectory_pb2.Trajectory(
            index=sample.index,
            token_ids=token_ids,
            logprobs=sample.logprobs.logprobs,
            versions=[
                trajectory_pb2.VersionSpan(
                    version=int(span.version) if span.version.isdigit() else served, tokens=span.end - span.start
                )
                for span in spans
            ],
            finish_reason=(
                trajectory_pb2.FINISH_REASON_STOP
                if sample.finish_reason == "stop"
                else trajectory_pb2.FINISH_REASON_LENGTH
            ),
            text=self.codec.decode(token_ids),
        )


def group_seed(seed: int, ordinal: int) -> int:
    """Seed of a group; sample i uses this plus i."""
    digest = xxhash.xxh3_64_intdigest(seed.to_bytes(8, "little") + ordinal.to_bytes(8, "little"))
    return digest >> (64 - SEED_BITS)


def _environment(config: EngineConfig) -> dict[str, str]:
    """What the engine's process must find in its environment when it starts."""
    environment = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_DO_NOT_TRACK": "1"}
    environment["VLLM_LOGGING_LEVEL"] = os.environ.get("VLLM_LOGGING_LEVEL", "WARNING")
    if not torch.cuda.is_available():
        environment |= {
            # One process less to start: the worker lives in the engine's process, not beside it.
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "OMP_NUM_THREADS": str(config.threads),
            # Threads that wait sleep: where cores are shared, spinning made two threads four times slower than one.
            "OMP_WAIT_POLICY": "PASSIVE",
            # The sampler compiles one small function at its first use: seconds for nothing gained at these sizes.
            "TORCHDYNAMO_DISABLE": "1",
        }
    return environment


def _arguments(config: EngineConfig) -> AsyncEngineArgs:
    on_gpu = torch.cuda.is_available()
    arguments: dict[str, Any] = {
        "model": config.model_dir,
        "dtype": config.dtype,
        "max_model_len": config.max_model_len,
        "tensor_parallel_size": config.tensor_parallel,
        "block_size": BLOCK_TOKENS,
        "max_num_seqs": MAX_SEQUENCES,
        "max_num_batched_tokens": max(BATCHED_TOKENS, config.max_model_len),
        "enable_prefix_caching": True,
        "limit_mm_per_prompt": {"audio": 1},
        "mm_processor_cache_gb": 0,  # a clip is used by one request; its samples share the encoder's output
        "logprobs_mode": "processed_logprobs",  # of the distribution that is sampled: after the temperature
        "generation_config": "vllm",  # stop tokens and sampling come with each task
        "skip_tokenizer_init": True,
        "disable_log_stats": True,
        "worker_extension_cls": "rollout.weight_engine.WeightFetching",
    }
    if config.weight_urls:
        arguments["load_format"] = "dummy"
        arguments["weight_transfer_config"] = WeightTransferConfig(backend=WEIGHT_BACKEND)
    if not on_gpu:
        arguments |= {
            "enforce_eager": True,
            "distributed_executor_backend": "uni",
            "kv_cache_memory_bytes": CPU_KV_BYTES,
            # A prompt split over two steps kills the engine: vLLM then takes one draw of the request's seeded generator
            # back, which torch's CPU generator cannot do. So prompts are never split, neither for the budget of a step
            # nor for that of the audio tower.
            "enable_chunked_prefill": False,
            "max_num_batched_tokens": max(CPU_BATCHED_TOKENS, config.max_model_len),
        }
    return AsyncEngineArgs(**arguments)
