"""One model: its family and dimensions, and the names and shapes of its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from earwitness.families.dims import AudioDims, DecoderDims
from earwitness.families.family import Family
from earwitness.families.reading import Section
from earwitness.families.registry import family_of_config

PUBLISHED = Path(__file__).parent / "published"
"""Configs of published checkpoints, in their own layout: `read_architecture(PUBLISHED / "NAME.json")`."""


@dataclass(frozen=True)
class Architecture:
    """One model."""

    family: Family
    decoder: DecoderDims
    audio: AudioDims

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every weight by our name, audio tower first; `Family.names` knows what checkpoints call it."""
        listener = self.family.listener_shapes(self.audio, self.decoder.hidden_size)
        return {**listener, **_decoder_shapes(self.decoder)}

    @property
    def parameters(self) -> int:
        """Weights in the whole model."""
        return sum(math.prod(shape) for shape in self.weight_shapes().values())


def read_architecture(model_dir: str | Path) -> Architecture:
    """Reads a directory's `config.json`, or such a file; InputError names the field that is missing or unfit."""
    path = Path(model_dir)
    return architecture_of_config(Section.of_file(path if path.suffix == ".json" else path / "config.json"))


def architecture_of_config(config: Section) -> Architecture:
    """The same of a config that was read."""
    family = family_of_config(config)
    if family.inside is not None:
        config = config.section(family.inside)
    config.refuse_unsupported()
    return Architecture(family, *family.read(config))


def _decoder_shapes(dims: DecoderDims) -> dict[str, tuple[int, ...]]:
    hidden, queries, keys = dims.hidden_size, dims.queries, dims.keys
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (dims.vocab_size, hidden)}
    for index in range(dims.layers):
        layer = f"model.layers.{index}"
        shapes[f"{layer}.input_layernorm.weight"] = (hidden,)
        for name, rows in (("q_proj", queries), ("k_proj", keys), ("v_proj", keys)):
            shapes[f"{layer}.self_attn.{name}.weight"] = (rows, hidden)
            if not dims.qk_norm:
                shapes[f"{layer}.self_attn.{name}.bias"] = (rows,)
        if dims.qk_norm:
            for name in ("q_norm", "k_norm"):
                shapes[f"{layer}.self_attn.{name}.weight"] = (dims.head_size,)
        shapes[f"{layer}.self_attn.o_proj.weight"] = (hidden, queries)
        shapes[f"{layer}.post_attention_layernorm.weight"] = (hidden,)
        shapes[f"{layer}.mlp.gate_proj.weight"] = (dims.intermediate_size, hidden)
        shapes[f"{layer}.mlp.up_proj.weight"] = (dims.intermediate_size, hidden)
        shapes[f"{layer}.mlp.down_proj.weight"] = (hidden, dims.intermediate_size)
    shapes["model.norm.weight"] = (hidden,)
    if not dims.tied:
        shapes["lm_head.weight"] = (dims.vocab_size, hidden)
    return shapes
