"""What vLLM is told, on GPUs too, against the pinned vLLM: every option and every call of ours is one that it has."""

from __future__ import annotations

import inspect
import pkgutil
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch

from earwitness.errors import InputError
from rollout.contract import EngineConfig

OF_SAMPLING = ("temperature", "top_p", "seed", "max_tokens", "stop_token_ids", "logprobs", "n",
               "flat_logprobs", "detokenize", "output_kind")  # fmt: skip
LISTENER = Path(__file__).parents[2] / "models" / "listener"
STEP_AUDIO_R1 = EngineConfig("model", "bfloat16", 65_536, ("redis://w",), tensor_parallel=2, gpu_share=0.46)

ENGINE = "vllm.v1.engine.async_llm:AsyncLLM"
TRANSFER = "vllm.distributed.weight_transfer.base"


@pytest.fixture(scope="module")
def told_vllm() -> ModuleType:
    """Imports vLLM, seconds of work: in the process that has these tests, not in each that only collects them."""
    from rollout import arguments

    return arguments


@pytest.fixture
def on_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


def test_a_long_context_does_not_make_steps_long(on_gpus: None, told_vllm: ModuleType) -> None:
    told = told_vllm.arguments(STEP_AUDIO_R1)
    assert told.max_model_len == 65_536
    assert told.max_num_batched_tokens == told_vllm.BATCHED_TOKENS
    assert told.enable_chunked_prefill is True  # a prompt longer than a step is split


def test_an_engine_fills_its_share_of_a_gpu(on_gpus: None, told_vllm: ModuleType) -> None:
    from vllm.engine.arg_utils import AsyncEngineArgs

    told = told_vllm.arguments(STEP_AUDIO_R1)
    assert told.gpu_memory_utilization == 0.46
    assert told.tensor_parallel_size == 2
    assert told.distributed_executor_backend is None and told.enforce_eager is False  # vLLM's own choice on GPUs
    default = told_vllm.arguments(EngineConfig("model")).gpu_memory_utilization
    assert default == AsyncEngineArgs.gpu_memory_utilization


def test_on_the_cpu_the_cache_is_as_large_as_it_can_be_of_use(
    told_vllm: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    token = 2 * 3 * 2 * 32 * 4  # keys and values of three layers, two heads of 32 floats
    listener = EngineConfig(str(LISTENER), max_model_len=250)
    told = told_vllm.arguments(listener)
    assert told.kv_cache_memory_bytes == 2 * told.max_num_seqs * 256 * token  # 250 tokens take eight blocks of 32
    assert told_vllm.arguments(replace(listener, max_model_len=65_536)).kv_cache_memory_bytes == 2**30


def test_the_model_runner_is_the_one_that_is_tested(
    on_gpus: None, told_vllm: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vllm.config import VllmConfig

    for name, value in told_vllm.environment(STEP_AUDIO_R1).items():
        monkeypatch.setenv(name, value)
    assert VllmConfig.use_v2_model_runner.fget(VllmConfig()) is False


def test_gpus_that_cuda_does_not_find_are_no_reason_to_use_the_cpu(
    told_vllm: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    with pytest.raises(InputError, match="CUDA_VISIBLE_DEVICES: is '5', but CUDA finds no GPU"):
        told_vllm.environment(STEP_AUDIO_R1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    told_vllm.environment(STEP_AUDIO_R1)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        (f"{ENGINE}.from_engine_args", {"engine_args": None}),
        (f"{ENGINE}.pause_generation", {"self": None, "mode": "keep", "clear_cache": False}),
        (f"{ENGINE}.resume_generation", {"self": None}),
        (f"{ENGINE}.abort", {"self": None, "request_id": ["a"]}),
        (f"{ENGINE}.collective_rpc", {"self": None, "method": "fetch_weights", "args": ("lineage", 1)}),
        (f"{ENGINE}.init_weight_transfer_engine", {"self": None, "request": None}),
        (f"{ENGINE}.start_weight_update", {"self": None}),
        (f"{ENGINE}.update_weights", {"self": None, "request": None}),
        (f"{ENGINE}.finish_weight_update", {"self": None, "weight_version": "lineage 1"}),
        (f"{ENGINE}.generate", {"self": None, "prompt": {}, "sampling_params": None, "request_id": "a"}),
        (f"{ENGINE}.shutdown", {"self": None, "timeout": 0}),
        (f"{TRANSFER}:WeightTransferInitRequest", {"init_info": {}}),
        (f"{TRANSFER}:WeightTransferUpdateRequest", {"update_info": {}}),
        ("vllm.config.weight_transfer:WeightTransferConfig", {"backend": "redis"}),
        ("vllm:SamplingParams", dict.fromkeys(OF_SAMPLING)),
    ],
    ids=lambda value: value.rpartition(":")[2] if isinstance(value, str) else "",
)
def test_calls_have_the_signature_that_we_use(name: str, arguments: dict) -> None:
    call = pkgutil.resolve_name(name)
    target = inspect.unwrap(getattr(call, "__func__", call))
    if hasattr(call, "__func__"):
        arguments = {"cls": None, **arguments}
    inspect.signature(target).bind(**arguments)
