"""The Qwen2 or Qwen3 decoder that the families share, as a config describes it."""

from __future__ import annotations

from typing import Any

from earwitness.errors import InputError, shown
from earwitness.families.dims import DecoderDims
from earwitness.families.reading import Section
from earwitness.families.rope import read_yarn

TIED = "tie_word_embeddings"
"""The field that says that the output layer is the embedding. Which object's counts differs by family."""
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
"""transformers' Qwen2Config: published configs name only what differs (Qwen2-Audio's not even its width)."""
QWEN3 = "qwen3"
"""`model_type` of decoders whose queries and keys are normed; any other is read as Qwen2."""
QWEN3_HEAD = 128
"""Channels of their heads where a config does not name it: transformers' Qwen3Config."""


def read_decoder(text: Section, *, tied: bool) -> DecoderDims:
    """The Qwen2 or Qwen3 decoder that a `text_config` describes. `tied`: whether its output layer is the embedding."""
    fields = text.fields
    rope = fields.get("rope_parameters") or {}  # transformers 5 puts the base here
    if not isinstance(rope, dict):
        raise InputError(f"{text.path}: rope_parameters", f"is {shown(rope)}", "an object")
    base = rope if "rope_theta" in rope else fields
    heads = text.count("num_attention_heads")
    qwen3 = fields.get("model_type") == QWEN3
    dims = DecoderDims(
        hidden_size=text.count("hidden_size"),
        intermediate_size=text.count("intermediate_size"),
        layers=text.count("num_hidden_layers"),
        heads=heads,
        kv_heads=text.count("num_key_value_heads"),
        vocab_size=text.count("vocab_size"),
        max_positions=text.count("max_position_embeddings"),
        norm_eps=text.number("rms_norm_eps"),
        rope_theta=Section(text.path, base).number("rope_theta"),
        qk_norm=qwen3,
        tied=tied,
        yarn=read_yarn(text),
        head_channels=Section(text.path, {"head_dim": QWEN3_HEAD, **fields}).count("head_dim") if qwen3 else None,
    )
    if (dims.hidden_size % heads and not qwen3) or heads % dims.kv_heads:
        fit = "kv heads dividing heads dividing hidden_size"
        raise InputError(f"{text.path}: num_attention_heads", "does not divide", fit)
    text.only("hidden_act", "silu")
    text.only("attention_bias", not qwen3)
    if fields.get("layer_types") is not None:
        text.only("layer_types", ["full_attention"] * dims.layers)
    text.refuse_other("head_dim", fields.get("head_dim") or dims.head_size, dims.head_size)
    return dims
