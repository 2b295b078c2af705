"""`config.json` of a checkpoint, in the layout of its family, to and from the dimensions of a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from earwitness.errors import InputError
from earwitness.model.architecture import KERNEL, Architecture, AudioDims, DecoderDims
from earwitness.model.family import QWEN2_AUDIO, STEP_AUDIO, family_of_config

MLP_RATIO = 4
"""Width of Step-Audio's encoder MLP over its own width, as in Whisper; the config does not name it."""
ADAPTER_SIZE = 2048
"""Width between the adaptor's linear layers in Step-Audio's checkpoints, whose config does not name it."""
ADAPTER_STRIDE = 2
"""Stride of the adaptor's convolution."""
STEP_AUDIO_DEFAULTS = {"rms_norm_eps": 1e-5, "rope_theta": 1e6}
"""What Step-Audio's class takes where a config does not name it. Its defaults for sizes are those of another, smaller
model: sizes must be named."""
QWEN2_DEFAULTS: dict[str, Any] = {
    "hidden_size": 4096,
    "intermediate_size": 22016,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "vocab_size": 151936,
    "max_position_embeddings": 32768,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10_000.0,
}
"""transformers' Qwen2Config: Qwen2-Audio's published config names only what differs (not even its width)."""
QWEN2_AUDIO_ENCODER_DEFAULTS: dict[str, Any] = {
    "num_mel_bins": 128,
    "encoder_layers": 32,
    "encoder_attention_heads": 20,
    "encoder_ffn_dim": 5120,
    "d_model": 1280,
    "max_source_positions": 1500,
}
"""transformers' Qwen2AudioEncoderConfig."""


def read_config(path: Path) -> Architecture:
    """As `Architecture.read`."""
    path = path if path.suffix == ".json" else path / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(str(path), "no such file", "a Hugging Face model directory") from None
    except json.JSONDecodeError as error:
        raise InputError(str(path), f"is not JSON ({error})", "the model's config") from error
    family = family_of_config(config, str(path))
    for section in (config, *(value for value in config.values() if isinstance(value, dict))):
        _refuse_unsupported(path, section)
    if family is QWEN2_AUDIO:
        text = {**QWEN2_DEFAULTS, **_section(config, "text_config", path)}
        return Architecture(family, _decoder(text, path), _qwen2_audio(_section(config, "audio_config", path), path))
    decoder = _decoder({**STEP_AUDIO_DEFAULTS, **_section(config, "text_config", path)}, path)
    audio = _section(config, "audio_encoder_config", path)
    return Architecture(family, decoder, _step_audio(audio, decoder.hidden_size, path))


def step_audio_config(
    architecture: Architecture, *, eos_token_id: int, pad_token_id: int, dtype: str
) -> dict[str, Any]:
    """`config.json` in the layout of Step-Audio's published checkpoints."""
    decoder, audio = architecture.decoder, architecture.audio
    return {
        "architectures": [STEP_AUDIO.architecture],
        "model_type": STEP_AUDIO.model_type,
        "tie_word_embeddings": False,
        "torch_dtype": dtype,
        "text_config": {
            "hidden_size": decoder.hidden_size,
            "intermediate_size": decoder.intermediate_size,
            "num_attention_heads": decoder.heads,
            "num_attention_groups": decoder.kv_heads,
            "num_key_value_heads": decoder.kv_heads,
            "num_hidden_layers": decoder.layers,
            "max_seq_len": decoder.max_positions,
            "max_position_embeddings": decoder.max_positions,
            "vocab_size": decoder.vocab_size,
            "rms_norm_eps": decoder.norm_eps,
            "rope_theta": decoder.rope_theta,
            "rope_scaling": None,
            "tie_word_embeddings": False,
            "eos_token_id": eos_token_id,
            "pad_token_id": pad_token_id,
            "torch_dtype": dtype,
        },
        "audio_encoder_config": {
            "n_mels": audio.n_mels,
            "n_audio_ctx": audio.positions,
            "n_audio_state": audio.size,
            "n_audio_head": audio.heads,
            "n_audio_layer": audio.layers,
            "llm_dim": decoder.hidden_size,
            "kernel_size": KERNEL,
            "adapter_stride": ADAPTER_STRIDE,
            "adapter_size": audio.adapter_size,
        },
    }


UNSUPPORTED: dict[str, Any] = {
    "tie_word_embeddings": False,
    "rope_scaling": None,
    "use_sliding_window": False,
    "use_mrope": False,
    "use_qk_norm": False,
    "qk_norm": False,
    "attention_bias": True,
    "qkv_bias": True,
    "mlp_bias": False,
    "scale_embedding": False,
    "partial_rotary_factor": 1.0,
    "quantization_config": None,
    "attn_logit_softcapping": None,
    "final_logit_softcapping": None,
    "num_experts": None,
    "num_local_experts": None,
}
"""The one value of each key that the code does; any other would train another model, unnoticed."""
NONE_SAID = (None, False, 0)
"""Values that say of a feature that it is not there."""


def _refuse_unsupported(path: Path, section: dict[str, Any]) -> None:
    for key, only in UNSUPPORTED.items():
        value = section.get(key, only)
        if value is None or (only in NONE_SAID and value in NONE_SAID):
            continue
        _only(path, key, value, only)


def _decoder(text: dict[str, Any], path: Path) -> DecoderDims:
    rope = text.get("rope_parameters") or {}  # transformers 5 puts the base here
    heads = _count(text, "num_attention_heads", path)
    dims = DecoderDims(
        hidden_size=_count(text, "hidden_size", path),
        intermediate_size=_count(text, "intermediate_size", path),
        layers=_count(text, "num_hidden_layers", path),
        heads=heads,
        kv_heads=_count(text, "num_key_value_heads", path),
        vocab_size=_count(text, "vocab_size", path),
        max_positions=_count(text, "max_position_embeddings", path),
        norm_eps=float(text["rms_norm_eps"]),
        rope_theta=float(rope.get("rope_theta", text["rope_theta"])),
    )
    if dims.hidden_size % heads or heads % dims.kv_heads:
        raise InputError(
            f"{path}: num_attention_heads", "does not divide", "kv heads dividing heads dividing hidden_size"
        )
    for key, value, only in (
        ("rope_parameters", rope.get("rope_type", "default"), "default"),
        ("hidden_act", text.get("hidden_act", "silu"), "silu"),
        ("head_dim", text.get("head_dim") or dims.head_size, dims.head_size),
    ):
        _only(path, key, value, only)
    return dims


def _step_audio(audio: dict[str, Any], hidden: int, path: Path) -> AudioDims:
    for key, only in (("kernel_size", KERNEL), ("adapter_stride", ADAPTER_STRIDE), ("llm_dim", hidden)):
        _only(path, key, audio.get(key, only), only)
    size = _count(audio, "n_audio_state", path)
    dims = AudioDims(
        n_mels=_count(audio, "n_mels", path),
        positions=_count(audio, "n_audio_ctx", path),
        size=size,
        heads=_count(audio, "n_audio_head", path),
        layers=_count(audio, "n_audio_layer", path),
        mlp_size=MLP_RATIO * size,
        adapter_size=int(audio.get("adapter_size", ADAPTER_SIZE)),
        trailing_frames=STEP_AUDIO.trailing_frames,
        learned_positions=True,
    )
    if size % dims.heads:
        raise InputError(f"{path}: n_audio_head", "does not divide n_audio_state", "a divisor")
    return dims


def _qwen2_audio(given: dict[str, Any], path: Path) -> AudioDims:
    audio = {**QWEN2_AUDIO_ENCODER_DEFAULTS, **given}
    _only(path, "activation_function", audio.get("activation_function", "gelu"), "gelu")
    dims = AudioDims(
        n_mels=_count(audio, "num_mel_bins", path),
        positions=_count(audio, "max_source_positions", path),
        size=_count(audio, "d_model", path),
        heads=_count(audio, "encoder_attention_heads", path),
        layers=_count(audio, "encoder_layers", path),
        mlp_size=_count(audio, "encoder_ffn_dim", path),
        adapter_size=None,
        trailing_frames=QWEN2_AUDIO.trailing_frames,
        learned_positions=False,
    )
    if dims.size % dims.heads:
        raise InputError(f"{path}: encoder_attention_heads", "does not divide d_model", "a divisor")
    return dims


def _section(config: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    section = config.get(key)
    if not isinstance(section, dict):
        raise InputError(f"{path}: {key}", "is missing", "an object")
    return section


def _count(section: dict[str, Any], key: str, path: Path) -> int:
    value = section.get(key)
    if not isinstance(value, int) or value < 1:
        raise InputError(f"{path}: {key}", f"is {value!r}", "a positive whole number")
    return value


def _only(path: Path, key: str, value: object, only: object) -> None:
    if value != only:
        raise InputError(f"{path}: {key}", f"{value!r} is not supported", json.dumps(only))
