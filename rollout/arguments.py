"""What vLLM is told when it starts."""

from __future__ import annotations

import itertools
import os
from typing import Any

import torch
from vllm.config.weight_transfer import WeightTransferConfig
from vllm.engine.arg_utils import AsyncEngineArgs

from earwitness.families.architecture import read_architecture
from earwitness.hearing import MAX_SEGMENTS
from earwitness.local.gpus import require_found
from rollout.config import as_ours
from rollout.contract import BLOCK_TOKENS, EngineConfig
from rollout.parent import WORKER_PID
from rollout.plugin import WEIGHT_BACKEND
from rollout.weight_engine import DTYPES

MAX_SEQUENCES = 256
"""Most trajectories that are generated at a time."""
BATCHED_TOKENS = 4096
"""Most tokens of one step, prefill included; on GPUs a longer prompt is split over several steps."""
CPU_BATCHED_TOKENS = 96_000
"""The same on the CPU, and most audio tokens held: MAX_SEQUENCES different clips of 375 tokens; see below."""
CPU_KV_BYTES = 1 << 30
"""Largest KV cache on the CPU; given so that vLLM does not run the model to find out what is left."""


def environment(config: EngineConfig) -> dict[str, str]:
    """What the engine's process must find in its environment when it starts. Raises InputError."""
    variables = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_DO_NOT_TRACK": "1"}
    variables[WORKER_PID] = str(os.getpid())
    # gRPC has threads here, and only a fresh interpreter hears of its parent's end before it does anything else.
    variables["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"
    variables["VLLM_LOGGING_LEVEL"] = os.environ.get("VLLM_LOGGING_LEVEL", "WARNING")
    # The newer model runner, which is vLLM's choice on GPUs only, is another sampler than the one that is tested here.
    variables["VLLM_USE_V2_MODEL_RUNNER"] = "0"
    if not torch.cuda.is_available():
        require_found(0)
        variables |= {
            # One process less to start: the worker lives in the engine's process, not beside it.
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "OMP_NUM_THREADS": str(config.threads),
            # Threads that wait sleep: where cores are shared, spinning made two threads four times slower than one.
            "OMP_WAIT_POLICY": "PASSIVE",
            # The sampler compiles one small function at its first use: seconds for nothing gained at these sizes.
            "TORCHDYNAMO_DISABLE": "1",
        }
        if config.tensor_parallel > 1:
            variables["VLLM_CPU_OMP_THREADS_BIND"] = _cores_of_ranks(config)
    return variables


def arguments(config: EngineConfig) -> AsyncEngineArgs:
    """How the engine is made."""
    on_gpu = torch.cuda.is_available()
    options: dict[str, Any] = {
        "model": config.model_dir,
        "hf_overrides": as_ours,
        "dtype": config.dtype,
        "max_model_len": config.max_model_len,
        "tensor_parallel_size": config.tensor_parallel,
        "block_size": BLOCK_TOKENS,
        "max_num_seqs": MAX_SEQUENCES,
        "max_num_batched_tokens": BATCHED_TOKENS,
        "enable_chunked_prefill": True,
        "gpu_memory_utilization": config.gpu_share,
        "enable_prefix_caching": True,
        "limit_mm_per_prompt": {"audio": MAX_SEGMENTS},
        "mm_processor_cache_gb": 0,  # a clip is used by one request; its samples share the encoder's output
        "logprobs_mode": "processed_logprobs",  # of the distribution that is sampled: after the temperature
        "generation_config": "vllm",  # stop tokens and sampling come with each task
        "skip_tokenizer_init": True,
        "disable_log_stats": True,
        "worker_extension_cls": "rollout.weight_engine.WeightFetching",
    }
    if config.weight_urls:
        options["load_format"] = "dummy"
        options["weight_transfer_config"] = WeightTransferConfig(backend=WEIGHT_BACKEND)
    if not on_gpu:
        options |= {
            "enforce_eager": True,
            "distributed_executor_backend": "uni" if config.tensor_parallel == 1 else "mp",
            "kv_cache_memory_bytes": min(CPU_KV_BYTES, _useful_kv_bytes(config)),
            # A prompt split over two steps kills the engine: vLLM then takes one draw of the request's seeded generator
            # back, which torch's CPU generator cannot do. So prompts are never split, neither for the budget of a step
            # nor for that of the audio tower.
            "enable_chunked_prefill": False,
            "max_num_batched_tokens": max(CPU_BATCHED_TOKENS, config.max_model_len),
        }
    return AsyncEngineArgs(**options)


def _useful_kv_bytes(config: EngineConfig) -> int:
    """Keys and values of twice as many of the longest sequences as run at a time: as many again stay for the next
    that share their prompts. vLLM fills the whole cache with zeros, and the listener has a use for 0.2 GiB of it."""
    dims = read_architecture(config.model_dir).decoder
    token = 2 * dims.layers * dims.keys * DTYPES[config.dtype].itemsize
    blocks = -(-config.max_model_len // BLOCK_TOKENS)
    return 2 * MAX_SEQUENCES * blocks * BLOCK_TOKENS * token


def _cores_of_ranks(config: EngineConfig) -> str:
    """Cores of each rank's threads, `0,1|2,3`: left to itself vLLM wants as many NUMA nodes as ranks. Where there are
    fewer cores than threads, they are shared."""
    cores = itertools.cycle(sorted(os.sched_getaffinity(0)))
    ranks = [itertools.islice(cores, config.threads) for _ in range(config.tensor_parallel)]
    return "|".join(",".join(map(str, rank)) for rank in ranks)
