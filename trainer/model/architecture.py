"""Dimensions of a Step-Audio-R1 model and the names and shapes of its weights in a Hugging Face directory."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earwitness.errors import InputError

MODEL_TYPE = "step_audio_2"
ARCHITECTURE = "StepAudio2ForCausalLM"
MLP_RATIO = 4
"""Width of the encoder's MLP over its own width, as in Whisper."""
KERNEL = 3
"""Taps of every convolution."""
DEFAULT_ADAPTER_SIZE = 2048
"""Width between the adaptor's linear layers in the published checkpoints, whose config does not name it."""
DEFAULT_ROPE_THETA = 1e6
DEFAULT_NORM_EPS = 1e-5


@dataclass(frozen=True)
class AudioDims:
    """The audio encoder and adaptor."""

    n_mels: int
    """Mel bins."""
    positions: int
    """Rows of the positional embedding: most frames after the second convolution."""
    size: int
    """Encoder width."""
    heads: int
    layers: int
    adapter_size: int
    """Width between the adaptor's two linear layers."""


@dataclass(frozen=True)
class DecoderDims:
    """The Qwen2 decoder."""

    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    kv_heads: int
    vocab_size: int
    """Rows of the embedding and of lm_head; at least the tokenizer's size."""
    max_positions: int
    """Longest sequence, tokens."""
    norm_eps: float
    rope_theta: float

    @property
    def head_size(self) -> int:
        """Channels of one attention head."""
        return self.hidden_size // self.heads


@dataclass(frozen=True)
class Architecture:
    """One model."""

    decoder: DecoderDims
    audio: AudioDims

    @classmethod
    def read(cls, model_dir: str | Path) -> Architecture:
        """Reads `config.json`; InputError names the field that is missing or unfit."""
        path = Path(model_dir) / "config.json"
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(str(path), "no such file", "a Hugging Face model directory") from None
        except json.JSONDecodeError as error:
            raise InputError(str(path), f"is not JSON ({error})", "the model's config") from error
        if not isinstance(config, dict) or ARCHITECTURE not in config.get("architectures", []):
            raise InputError(f"{path}: architectures", "is another model", ARCHITECTURE)
        text, audio = _section(config, "text_config", path), _section(config, "audio_encoder_config", path)
        decoder = DecoderDims(
            hidden_size=_count(text, "hidden_size", path),
            intermediate_size=_count(text, "intermediate_size", path),
            layers=_count(text, "num_hidden_layers", path),
            heads=_count(text, "num_attention_heads", path),
            kv_heads=_count(text, "num_key_value_heads", path),
            vocab_size=_count(text, "vocab_size", path),
            max_positions=_count(text, "max_position_embeddings", path),
            norm_eps=float(text.get("rms_norm_eps", DEFAULT_NORM_EPS)),
            rope_theta=float(text.get("rope_theta", DEFAULT_ROPE_THETA)),
        )
        if text.get("rope_scaling") is not None:
            raise InputError(f"{path}: rope_scaling", "is not supported", "null")
        if text.get("tie_word_embeddings", False):
            raise InputError(
                f"{path}: tie_word_embeddings", "is not supported", "false: lm_head has weights of its own"
            )
        if decoder.hidden_size % decoder.heads or decoder.heads % decoder.kv_heads:
            raise InputError(
                f"{path}: num_attention_heads", "does not divide", "kv heads dividing heads dividing hidden_size"
            )
        listener = AudioDims(
            n_mels=_count(audio, "n_mels", path),
            positions=_count(audio, "n_audio_ctx", path),
            size=_count(audio, "n_audio_state", path),
            heads=_count(audio, "n_audio_head", path),
            layers=_count(audio, "n_audio_layer", path),
            adapter_size=int(audio.get("adapter_size", DEFAULT_ADAPTER_SIZE)),
        )
        if listener.size % listener.heads:
            raise InputError(f"{path}: n_audio_head", "does not divide n_audio_state", "a divisor")
        return cls(decoder, listener)

    def config(self, *, eos_token_id: int, pad_token_id: int, dtype: str) -> dict[str, Any]:
        """`config.json` in the layout of the published checkpoints."""
        decoder, audio = self.decoder, self.audio
        return {
            "architectures": [ARCHITECTURE],
            "model_type": MODEL_TYPE,
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
                "adapter_stride": 2,
                "adapter_size": audio.adapter_size,
            },
        }

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every weight by its Hugging Face name, audio tower first."""
        return {**_audio_shapes(self.audio, self.decoder.hidden_size), **_decoder_shapes(self.decoder)}


def _audio_shapes(dims: AudioDims, hidden: int) -> dict[str, tuple[int, ...]]:
    size = dims.size
    shapes: dict[str, tuple[int, ...]] = {
        "encoder.conv1.weight": (size, dims.n_mels, KERNEL),
        "encoder.conv1.bias": (size,),
        "encoder.conv2.weight": (size, size, KERNEL),
        "encoder.conv2.bias": (size,),
        "encoder.positional_embedding.weight": (dims.positions, size),
    }
    for layer in range(dims.layers):
        block = f"encoder.blocks.{layer}"
        for name in ("query", "key", "value", "out"):
            shapes[f"{block}.attn.{name}.weight"] = (size, size)
            if name != "key":
                shapes[f"{block}.attn.{name}.bias"] = (size,)
        shapes[f"{block}.mlp.0.weight"] = (MLP_RATIO * size, size)
        shapes[f"{block}.mlp.0.bias"] = (MLP_RATIO * size,)
        shapes[f"{block}.mlp.2.weight"] = (size, MLP_RATIO * size)
        shapes[f"{block}.mlp.2.bias"] = (size,)
        for norm in ("attn_ln", "mlp_ln"):
            shapes[f"{block}.{norm}.weight"] = shapes[f"{block}.{norm}.bias"] = (size,)
    shapes["encoder.after_norm.weight"] = shapes["encoder.after_norm.bias"] = (size,)
    shapes["adapter.conv.weight"] = (size, size, KERNEL)
    shapes["adapter.conv.bias"] = (size,)
    shapes["adapter.linear1.weight"] = (dims.adapter_size, size)
    shapes["adapter.linear1.bias"] = (dims.adapter_size,)
    shapes["adapter.linear2.weight"] = (hidden, dims.adapter_size)
    shapes["adapter.linear2.bias"] = (hidden,)
    return shapes


def _decoder_shapes(dims: DecoderDims) -> dict[str, tuple[int, ...]]:
    hidden, keys = dims.hidden_size, dims.kv_heads * dims.head_size
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (dims.vocab_size, hidden)}
    for index in range(dims.layers):
        layer = f"model.layers.{index}"
        shapes[f"{layer}.input_layernorm.weight"] = (hidden,)
        for name, rows in (("q_proj", hidden), ("k_proj", keys), ("v_proj", keys)):
            shapes[f"{layer}.self_attn.{name}.weight"] = (rows, hidden)
            shapes[f"{layer}.self_attn.{name}.bias"] = (rows,)
        shapes[f"{layer}.self_attn.o_proj.weight"] = (hidden, hidden)
        shapes[f"{layer}.post_attention_layernorm.weight"] = (hidden,)
        shapes[f"{layer}.mlp.gate_proj.weight"] = (dims.intermediate_size, hidden)
        shapes[f"{layer}.mlp.up_proj.weight"] = (dims.intermediate_size, hidden)
        shapes[f"{layer}.mlp.down_proj.weight"] = (hidden, dims.intermediate_size)
    shapes["model.norm.weight"] = (hidden,)
    shapes["lm_head.weight"] = (dims.vocab_size, hidden)
    return shapes


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
