"""Weights in, weights out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from earwitness.errors import InputError
from trainer import huggingface
from trainer.huggingface import WeightsError, export_tensors, load_weights, save_pretrained
from trainer.model.architecture import Architecture
from trainer.model.names import full_shapes, slots
from trainer.model.policy import build_policy


def copied(toy_dir: Path, out: Path, weights: dict[str, torch.Tensor]) -> Path:
    """The toy with other weights."""
    out.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (out / name).write_bytes((toy_dir / name).read_bytes())
    save_file(weights, out / "model.safetensors")
    return out


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_round_trip_is_byte_equal(toy_dir: Path, tmp_path: Path, dtype: torch.dtype) -> None:
    weights = {name: tensor.to(dtype) for name, tensor in load_file(toy_dir / "model.safetensors").items()}
    source = copied(toy_dir, tmp_path / "in", weights)
    module = build_policy(source, dtype=dtype)
    save_pretrained(module, source, tmp_path / "out")
    saved = load_file(tmp_path / "out" / "model.safetensors")
    assert saved.keys() == weights.keys()
    for name, tensor in weights.items():
        assert saved[name].dtype == dtype
        assert torch.equal(saved[name].view(torch.uint8), tensor.view(torch.uint8)), name
    for name in ("config.json", "tokenizer.json"):
        assert (tmp_path / "out" / name).read_bytes() == (toy_dir / name).read_bytes()


def test_a_large_model_is_several_files(toy_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface, "FILE_BYTES", 20_000)
    module = build_policy(toy_dir)
    save_pretrained(module, toy_dir, tmp_path / "out")
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 2
    again = build_policy(tmp_path / "out")
    for ours, theirs in zip(module.parameters(), again.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_exports_every_name_once(toy_dir: Path) -> None:
    exported = list(export_tensors(build_policy(toy_dir)))
    shapes = {name: tuple(tensor.shape) for name, tensor in exported}
    assert len(shapes) == len(exported)
    assert shapes == full_shapes(Architecture.read(toy_dir), value_head=False)


@pytest.mark.parametrize("size", [1, 2])
def test_shards_join_to_the_full_tensors(toy_dir: Path, size: int) -> None:
    weights = load_file(toy_dir / "model.safetensors")
    for slot in slots(build_policy(toy_dir)):
        full = [weights[name] for name in slot.names]
        shards = [slot.shard(full, rank, size) for rank in range(size)]
        for name, tensor, joined in zip(slot.names, full, slot.join(shards), strict=True):
            assert torch.equal(tensor, joined), name
        assert slot.cut == "whole" or sum(s.numel() for s in shards) == sum(t.numel() for t in full)


def test_a_critic_starts_from_the_policy_and_keeps_its_head(toy_dir: Path, tmp_path: Path) -> None:
    critic = build_policy(toy_dir, value_head=True)
    with torch.no_grad():
        critic.language_model.output_layer.weight.fill_(0.5)
    save_pretrained(critic, toy_dir, tmp_path / "critic")
    assert torch.equal(
        build_policy(tmp_path / "critic", value_head=True).language_model.output_layer.weight,
        critic.language_model.output_layer.weight,
    )
    load_weights(critic, toy_dir)
    assert not critic.language_model.output_layer.weight.any()


def test_one_error_names_all_that_is_wrong(toy_dir: Path, tmp_path: Path) -> None:
    weights = load_file(toy_dir / "model.safetensors")
    del weights["lm_head.weight"], weights["encoder.conv1.bias"]
    weights["model.norm.bias"] = torch.zeros(3)
    weights["model.norm.weight"] = torch.zeros(7)
    with pytest.raises(WeightsError) as caught:
        build_policy(copied(toy_dir, tmp_path / "in", weights))
    assert caught.value.missing == ["encoder.conv1.bias", "lm_head.weight"]
    assert caught.value.unexpected == ["model.norm.bias"]
    assert caught.value.misshapen == ["model.norm.weight [7] instead of [32]"]
    for part in ("encoder.conv1.bias", "lm_head.weight", "model.norm.bias", "model.norm.weight"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"architectures": ["LlamaForCausalLM"]}, "architectures"),
        ({"text_config": None}, "text_config"),
        ({"text_config": {"hidden_size": "x"}}, "hidden_size"),
        ({"text_config": {"rope_scaling": {"type": "yarn"}}}, "rope_scaling"),
        ({"text_config": {"num_attention_heads": 5}}, "num_attention_heads"),
        ({"audio_encoder_config": {"n_audio_layer": 0}}, "n_audio_layer"),
    ],
)
def test_a_config_that_does_not_fit_is_named(toy_dir: Path, tmp_path: Path, change: dict, field: str) -> None:
    config = json.loads((toy_dir / "config.json").read_text())
    for key, value in change.items():
        config[key] = {**config[key], **value} if isinstance(value, dict) else value
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError) as caught:
        Architecture.read(tmp_path)
    assert field in caught.value.field


def test_no_directory_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json"):
        Architecture.read(tmp_path / "nowhere")
