"""What vLLM is told, on GPUs too, against the pinned vLLM: every option and every call of ours is one that it has."""

from __future__ import annotations

import inspect

import pytest
import torch
from vllm import SamplingParams
from vllm.config import VllmConfig
from vllm.config.weight_transfer import WeightTransferConfig
from vllm.distributed.weight_transfer.base import WeightTransferInitRequest, WeightTransferUpdateRequest
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.v1.engine.async_llm import AsyncLLM

from earwitness.errors import InputError
from rollout.arguments import BATCHED_TOKENS, arguments, environment
from rollout.contract import EngineConfig

OF_SAMPLING = ("temperature", "top_p", "seed", "max_tokens", "stop_token_ids", "logprobs", "n",
               "flat_logprobs", "detokenize", "output_kind")  # fmt: skip
STEP_AUDIO_R1 = EngineConfig("model", "bfloat16", 65_536, ("redis://w",), tensor_parallel=2, gpu_share=0.46)


@pytest.fixture
def on_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


def test_a_long_context_does_not_make_steps_long(on_gpus: None) -> None:
    told = arguments(STEP_AUDIO_R1)
    assert told.max_model_len == 65_536
    assert told.max_num_batched_tokens == BATCHED_TOKENS
    assert told.enable_chunked_prefill is True  # a prompt longer than a step is split


def test_an_engine_fills_its_share_of_a_gpu(on_gpus: None) -> None:
    told = arguments(STEP_AUDIO_R1)
    assert told.gpu_memory_utilization == 0.46
    assert told.tensor_parallel_size == 2
    assert told.distributed_executor_backend is None and told.enforce_eager is False  # vLLM's own choice on GPUs
    assert arguments(EngineConfig("model")).gpu_memory_utilization == AsyncEngineArgs.gpu_memory_utilization


def test_the_model_runner_is_the_one_that_is_tested(on_gpus: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(STEP_AUDIO_R1).items():
        monkeypatch.setenv(name, value)
    assert VllmConfig.use_v2_model_runner.fget(VllmConfig()) is False


def test_gpus_that_cuda_does_not_find_are_no_reason_to_use_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    with pytest.raises(InputError, match="CUDA_VISIBLE_DEVICES: is '5', but CUDA finds no GPU"):
        environment(STEP_AUDIO_R1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    environment(STEP_AUDIO_R1)


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        (AsyncLLM.from_engine_args, {"engine_args": None}),
        (AsyncLLM.pause_generation, {"self": None, "mode": "keep", "clear_cache": False}),
        (AsyncLLM.resume_generation, {"self": None}),
        (AsyncLLM.abort, {"self": None, "request_id": ["a"]}),
        (AsyncLLM.collective_rpc, {"self": None, "method": "fetch_weights", "args": ("lineage", 1)}),
        (AsyncLLM.init_weight_transfer_engine, {"self": None, "request": None}),
        (AsyncLLM.start_weight_update, {"self": None}),
        (AsyncLLM.update_weights, {"self": None, "request": None}),
        (AsyncLLM.finish_weight_update, {"self": None, "weight_version": "lineage 1"}),
        (AsyncLLM.generate, {"self": None, "prompt": {}, "sampling_params": None, "request_id": "a"}),
        (AsyncLLM.shutdown, {"self": None, "timeout": 0}),
        (WeightTransferInitRequest, {"init_info": {}}),
        (WeightTransferUpdateRequest, {"update_info": {}}),
        (WeightTransferConfig, {"backend": "redis"}),
        (
            SamplingParams,
            dict.fromkeys(OF_SAMPLING),
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_calls_have_the_signature_that_we_use(call: object, arguments: dict) -> None:
    target = inspect.unwrap(getattr(call, "__func__", call))  # type: ignore[arg-type]
    if hasattr(call, "__func__"):
        arguments = {"cls": None, **arguments}
    inspect.signature(target).bind(**arguments)  # type: ignore[arg-type]
