"""`benchmarks/trainer_gpu.py`: its path on a CPU, and its arithmetic."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from earwitness.families.architecture import PUBLISHED, read_architecture


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = Path(__file__).parents[3] / "benchmarks" / "trainer_gpu.py"
    spec = importlib.util.spec_from_file_location("trainer_gpu_benchmark", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there for the module of their annotations
    spec.loader.exec_module(module)
    return module


def run(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["trainer_gpu.py", *arguments])
    benchmark.main()


def test_the_cpu_path_steps_and_counts(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(benchmark, monkeypatch, "--size", "tiny", "--steps", "2", "--peak-tflops", "0.5", "--json")
    found = json.loads(capsys.readouterr().out)
    assert [measured["tokens"] for measured in found["runs"]] == [64, 128]
    # by hand: 2 layers of q and o 64 x 64, k and v 64 x 32, three of 64 x 96; lm_head 64 x 512
    weights = 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 96) + 64 * 512
    for measured in found["runs"]:
        tokens, seconds = measured["tokens"], measured["step_seconds"]
        flops = 6 * weights * tokens + 6 * 2 * 64 * tokens**2
        assert measured["model_flops"] == flops
        assert measured["mfu"] == pytest.approx(flops / seconds / 0.5e12)
        assert measured["tokens_per_second"] == pytest.approx(tokens / seconds)


def test_the_formula_and_the_profile_are_printed(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(benchmark, monkeypatch, "--size", "tiny", "--steps", "1", "--tokens", "32", "--peak-tflops", "0.5")
    printed = capsys.readouterr().out
    assert "MFU" in printed and "= (6 · 9.421e+04 · 32 + 6 · 2 · 64 · 32²)" in printed
    assert "aten::mm" in printed and "AdamW" in printed


def test_the_published_size_needs_a_gpu(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(SystemExit, match="no GPU here"):
        run(benchmark, monkeypatch)


@pytest.mark.parametrize(
    ("name", "parameters", "multiplying"),
    [
        ("step-audio-r1", 33.487e9, 32.018e9),
        ("step-audio-2-mini", 8.315e9, 7.094e9),
        ("qwen2-audio-7b", 8.397e9, 7.115e9),
        ("audio-flamingo-3", 8.267e9, 7.069e9),
        ("qwen3-asr-0.6b", 0.7824e9, 0.5960e9),
        ("qwen3-asr-1.7b", 2.038e9, 1.720e9),
    ],
)
def test_the_published_models_have_their_size(
    benchmark: ModuleType, name: str, parameters: float, multiplying: float
) -> None:
    architecture = read_architecture(PUBLISHED / f"{name}.json")
    assert architecture.parameters == pytest.approx(parameters, rel=5e-4)
    assert benchmark.multiplying(architecture.decoder) == pytest.approx(multiplying, rel=5e-4)


@pytest.mark.parametrize("engine", [False, True])
def test_a_gpu_without_transformer_engine_gets_the_local_layers(monkeypatch: pytest.MonkeyPatch, engine: bool) -> None:
    """Megatron refuses a configuration that asks for kernels which are not there: it is made here as on a GPU."""
    from megatron.core.transformer.transformer_block import TransformerBlockSubmodules

    from trainer.model import attention, decoder
    from trainer.model.attention import CausalAttention
    from trainer.model.norm import RMSNorm

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(attention, "TRANSFORMER_ENGINE", engine)
    dims = read_architecture(PUBLISHED / "qwen2-audio-7b.json").decoder
    if engine:
        with pytest.raises(ValueError, match="apply_rope_fusion is not available"):
            decoder.transformer_config(dims, torch.bfloat16)
        return
    config = decoder.transformer_config(dims, torch.bfloat16)
    assert config.bias_activation_fusion and not config.use_cpu_initialization and config.bf16
    spec = decoder.layer_spec(config)
    assert isinstance(spec, TransformerBlockSubmodules) and spec.layer_norm is RMSNorm
    assert spec.layer_specs[0].submodules.self_attention.submodules.core_attention is CausalAttention
