"""Weights in, weights out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from earwitness.errors import InputError
from earwitness.families.architecture import read_architecture
from trainer.model import weight_files
from trainer.model.build import build_policy
from trainer.model.huggingface import export_tensors, load_weights, save_pretrained
from trainer.model.names import slots
from trainer.model.stored import WeightsError, full_shapes
from trainer.model.weight_files import INDEX, SINGLE


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


def sharded(toy_dir: Path, out: Path, files: int = 3) -> Path:
    """The toy in several files, half of its tensors in bf16."""
    weights = load_file(toy_dir / "model.safetensors")
    for name in list(weights)[::2]:
        weights[name] = weights[name].to(torch.bfloat16)
    copied(toy_dir, out, {}).joinpath(SINGLE).unlink()
    places = {name: f"model-{index % files + 1:05d}-of-{files:05d}.safetensors" for index, name in enumerate(weights)}
    for file in set(places.values()):
        save_file({n: w for n, w in weights.items() if places[n] == file}, out / file, metadata={"format": "pt"})
    size = sum(w.nbytes for w in weights.values())
    (out / INDEX).write_text(json.dumps({"metadata": {"total_size": size}, "weight_map": places}, indent=2))
    return out


def test_files_types_and_index_come_out_as_they_went_in(toy_dir: Path, tmp_path: Path) -> None:
    """Trained in fp32: what was bf16 leaves as bf16. Every byte of every file is as before."""
    source = sharded(toy_dir, tmp_path / "in")
    (source / "chat_template.jinja").write_text("{{ messages }}")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "stale.safetensors").write_text("")
    save_pretrained(build_policy(source), source, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(p.name for p in source.iterdir())
    for file in source.iterdir():
        assert (tmp_path / "out" / file.name).read_bytes() == file.read_bytes(), file.name
    assert not list(tmp_path.glob(".*"))


def test_what_is_frozen_leaves_as_it_came_in_and_not_rounded_to_the_policys_type(toy_dir: Path, tmp_path: Path) -> None:
    before = load_file(toy_dir / SINGLE)
    module = build_policy(toy_dir, dtype=torch.bfloat16, freeze_encoder=True)
    learned = {slot.names: slot.parameter for slot in slots(module) if slot.parameter.requires_grad}
    with torch.no_grad():
        for parameter in learned.values():
            parameter.add_(1.0)
    save_pretrained(module, toy_dir, tmp_path / "out")
    after = load_file(tmp_path / "out" / SINGLE)
    changed = {name for names in learned for name in names}
    assert {name for name in before if not torch.equal(after[name], before[name])} == changed
    assert any(not torch.equal(w, w.bfloat16().float()) for name, w in before.items() if name not in changed)
    for name in changed:
        assert after[name].dtype == torch.float32 and torch.equal(after[name], after[name].bfloat16().float()), name


def test_a_failed_export_leaves_what_was_there(toy_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = build_policy(toy_dir)
    save_pretrained(module, toy_dir, tmp_path / "out")
    before = (tmp_path / "out" / SINGLE).read_bytes()

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(weight_files.WeightFileWriter, "write", full)
    with pytest.raises(OSError, match="no space left"):
        save_pretrained(module, toy_dir, tmp_path / "out")
    assert (tmp_path / "out" / SINGLE).read_bytes() == before


def test_damaged_files_are_named_beside_what_else_is_wrong(toy_dir: Path, tmp_path: Path) -> None:
    source = sharded(toy_dir, tmp_path / "in", files=4)
    truncated, missing, garbled, good = (source / f"model-{n:05d}-of-00004.safetensors" for n in (1, 2, 3, 4))
    size = truncated.stat().st_size
    truncated.write_bytes(truncated.read_bytes()[:-10])
    missing.unlink()
    garbled.write_bytes((1 << 60).to_bytes(8, "little") + b"{}")
    weights = load_file(good)
    lost = sorted(weights)[0]
    del weights[lost]
    save_file({**weights, "stray": torch.zeros(2)}, good)
    with pytest.raises(WeightsError) as caught:
        build_policy(source)
    problems = caught.value.problems
    assert problems.keys() == {"damaged", "missing", "unexpected"}
    assert f"{truncated.name} (truncated: {size - 10} bytes of {size})" in problems["damaged"]
    assert any(missing.name in problem and "not there" in problem for problem in problems["damaged"])
    assert any(
        garbled.name in problem and "truncated or no safetensors file" in problem for problem in problems["damaged"]
    )
    assert problems["missing"] == [lost], "what stands in a damaged file is not missing on top of that"
    assert problems["unexpected"] == ["stray"]


def test_no_weights_are_one_problem(toy_dir: Path, tmp_path: Path) -> None:
    source = copied(toy_dir, tmp_path / "in", {})
    (source / SINGLE).unlink()
    with pytest.raises(WeightsError) as caught:
        build_policy(source)
    assert caught.value.problems == {"damaged": [f"neither {SINGLE} nor {INDEX}"]}


def test_exports_every_name_once(toy_dir: Path) -> None:
    exported = list(export_tensors(build_policy(toy_dir)))
    shapes = {name: tuple(tensor.shape) for name, tensor in exported}
    assert len(shapes) == len(exported)
    assert shapes == full_shapes(read_architecture(toy_dir), value_head=False)


@pytest.mark.parametrize("size", [1, 2])
def test_shards_join_to_the_full_tensors(toy_dir: Path, size: int) -> None:
    weights = load_file(toy_dir / "model.safetensors")
    for slot in slots(build_policy(toy_dir)):
        shards = []
        for rank in range(size):
            shape = list(slot.parameter.shape)
            if slot.cut != "whole":
                shape[1 if slot.cut == "columns" else 0] //= size
            shards.append(torch.full(shape, torch.nan))
            for piece in slot.pieces(shards[-1], rank, size):
                rows = weights[piece.name][slice(*piece.rows)]
                piece.target.copy_(rows[:, slice(*piece.columns)] if piece.columns else rows)
        for name, joined in zip(slot.names, slot.join(shards), strict=True):
            assert torch.equal(weights[name], joined), name


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
    weights["encoder.conv2.bias"] = weights["encoder.conv2.bias"].to(torch.int32)
    with pytest.raises(WeightsError) as caught:
        build_policy(copied(toy_dir, tmp_path / "in", weights))
    assert caught.value.problems == {
        "missing": ["encoder.conv1.bias", "lm_head.weight"],
        "unexpected": ["model.norm.bias"],
        "wrong shape": ["model.norm.weight [7] instead of [32]"],
        "wrong type": ["encoder.conv2.bias I32 instead of F64, F32, F16, BF16"],
    }
    for part in ("encoder.conv1.bias", "lm_head.weight", "model.norm.bias", "model.norm.weight"):
        assert part in str(caught.value)


YARN = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"architectures": ["LlamaForCausalLM"]}, "architectures"),
        ({"text_config": None}, "text_config"),
        ({"text_config": {"hidden_size": "x"}}, "hidden_size"),
        ({"text_config": {"rope_scaling": {"type": "yarn"}}}, "rope_scaling: factor"),
        ({"text_config": {"rope_scaling": {**YARN, "factor": 0}}}, "rope_scaling: factor"),
        ({"text_config": {"rope_scaling": {**YARN, "beta_fast": "x"}}}, "rope_scaling: beta_fast"),
        ({"text_config": {"rope_scaling": {**YARN, "rope_type": "linear"}}}, "rope_scaling: rope_type"),
        ({"text_config": {"rope_scaling": {**YARN, "alpha": 2}}}, "rope_scaling: alpha"),
        ({"text_config": {"rope_scaling": {**YARN, "factor": 1.5}}}, "max_position_embeddings"),
        ({"text_config": {"rope_scaling": YARN, "rope_parameters": {"rope_theta": 1e6}}}, "rope_scaling"),
        ({"rope_scaling": YARN}, "rope_scaling"),
        ({"text_config": {"rope_scaling": {"type": "mrope", "mrope_section": [1], "factor": 2}}}, "rope_scaling"),
        ({"text_config": {"rope_parameters": {"rope_type": "linear", "rope_theta": 1e4}}}, "rope_parameters"),
        ({"tie_word_embeddings": True}, "tie_word_embeddings"),
        ({"text_config": {"tie_word_embeddings": True}}, "tie_word_embeddings"),
        ({"rope_scaling": {"type": "linear", "factor": 2}}, "rope_scaling"),
        ({"use_sliding_window": True}, "use_sliding_window"),
        ({"text_config": {"qk_norm": True}}, "qk_norm"),
        ({"text_config": {"attention_bias": False}}, "attention_bias"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"text_config": {"num_attention_heads": 5}}, "num_attention_heads"),
        ({"audio_encoder_config": {"n_audio_layer": 0}}, "n_audio_layer"),
        ({"audio_encoder_config": {"n_audio_layer": 10**19}}, "n_audio_layer"),
        ({"audio_encoder_config": {"adapter_size": "wide"}}, "adapter_size"),
        ({"text_config": {"num_hidden_layers": 10**6}}, "num_hidden_layers"),
        ({"text_config": {"hidden_size": True}}, "hidden_size"),
        ({"text_config": {"vocab_size": 10**400}}, "vocab_size"),
        ({"text_config": {"rms_norm_eps": None}}, "rms_norm_eps"),
        ({"text_config": {"rms_norm_eps": "tiny"}}, "rms_norm_eps"),
        ({"text_config": {"rope_theta": float("nan")}}, "rope_theta"),
        ({"text_config": {"rope_theta": -1}}, "rope_theta"),
        ({"text_config": {"rope_parameters": {"rope_theta": "x"}}}, "rope_theta"),
        ({"text_config": {"rope_parameters": ["yarn"]}}, "rope_parameters"),
        ({"text_config": {"layer_types": ["full_attention", "sliding_attention"]}}, "layer_types"),
        ({"text_config": {"layer_types": 3}}, "layer_types"),
    ],
)
def test_a_config_that_does_not_fit_is_named(toy_dir: Path, tmp_path: Path, change: dict, field: str) -> None:
    config = json.loads((toy_dir / "config.json").read_text())
    for key, value in change.items():
        config[key] = {**(config.get(key) or {}), **value} if isinstance(value, dict) else value
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError) as caught:
        read_architecture(tmp_path)
    assert field in caught.value.field


def test_a_mixture_of_experts_is_refused_as_one(tmp_path: Path) -> None:
    config = {"architectures": ["Qwen3OmniMoeForConditionalGeneration"], "model_type": "qwen3_omni_moe"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(
        InputError, match="a mixture of experts, which is not trained; expected StepAudio2ForCausalLM or"
    ):
        read_architecture(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"null", b"{", b"[" * 100_000, "{}".encode("utf-16"), b"\xff\xfe", b'{"a": ' + b"9" * 5000 + b"}"],
)
def test_what_is_no_config_is_an_input_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(InputError, match=r"config\.json"):
        read_architecture(tmp_path)


def test_a_folder_in_the_place_of_a_config_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        read_architecture(tmp_path)


def test_no_directory_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json"):
        read_architecture(tmp_path / "nowhere")
