"""Dimensions of a model, and the names and shapes of its weights in a Hugging Face directory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from earwitness.model.family import Family

KERNEL = 3
"""Taps of every convolution."""
PUBLISHED = Path(__file__).parent / "published"
"""Configs of published checkpoints, in their own layout: `Architecture.read(PUBLISHED / "step-audio-r1.json")`."""


@dataclass(frozen=True)
class AudioDims:
    """The audio encoder, and what brings its output to the decoder's width."""

    n_mels: int
    """Mel bins."""
    positions: int
    """Rows of the positional embedding: most frames after the second convolution."""
    size: int
    """Encoder width."""
    heads: int
    layers: int
    mlp_size: int
    """Width of the encoder's MLP."""
    adapter_size: int | None
    """Width between the linear layers of Step-Audio's adaptor; None for Qwen2-Audio's projector, one linear layer."""
    trailing_frames: int
    """Mel frames at a clip's end that convolutions look at but that make no tokens: see `earwitness.model.family`."""
    learned_positions: bool
    """Whether training moves the positional embedding; Qwen2-Audio's, Whisper's sinusoids, stay as they are."""


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

    family: Family
    decoder: DecoderDims
    audio: AudioDims

    @classmethod
    def read(cls, model_dir: str | Path) -> Architecture:
        """Reads a directory's `config.json`, or such a file; InputError names the field that is missing or unfit."""
        from earwitness.model.config import read_config

        return read_config(Path(model_dir))

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every weight by its name in Step-Audio's checkpoints, our names everywhere; audio tower first.

        `earwitness.model.names` knows what they are called in checkpoints of other families.
        """
        return {**_audio_shapes(self.audio, self.decoder.hidden_size), **_decoder_shapes(self.decoder)}

    @property
    def parameters(self) -> int:
        """Weights in the whole model."""
        return sum(math.prod(shape) for shape in self.weight_shapes().values())


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
        shapes[f"{block}.mlp.0.weight"] = (dims.mlp_size, size)
        shapes[f"{block}.mlp.0.bias"] = (dims.mlp_size,)
        shapes[f"{block}.mlp.2.weight"] = (size, dims.mlp_size)
        shapes[f"{block}.mlp.2.bias"] = (size,)
        for norm in ("attn_ln", "mlp_ln"):
            shapes[f"{block}.{norm}.weight"] = shapes[f"{block}.{norm}.bias"] = (size,)
    shapes["encoder.after_norm.weight"] = shapes["encoder.after_norm.bias"] = (size,)
    if dims.adapter_size is None:
        return {**shapes, "adapter.linear.weight": (hidden, size), "adapter.linear.bias": (hidden,)}
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
