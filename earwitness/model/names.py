"""What a family's checkpoints call a weight. Our own name for it, in trainer and rollout, is Step-Audio's."""

from __future__ import annotations

import re

from earwitness.model.family import QWEN2_AUDIO, Family

_QWEN2_AUDIO = (
    ("encoder.positional_embedding.", "audio_tower.embed_positions."),
    ("encoder.after_norm.", "audio_tower.layer_norm."),
    ("encoder.blocks.#.attn.query.", "audio_tower.layers.#.self_attn.q_proj."),
    ("encoder.blocks.#.attn.key.", "audio_tower.layers.#.self_attn.k_proj."),
    ("encoder.blocks.#.attn.value.", "audio_tower.layers.#.self_attn.v_proj."),
    ("encoder.blocks.#.attn.out.", "audio_tower.layers.#.self_attn.out_proj."),
    ("encoder.blocks.#.attn_ln.", "audio_tower.layers.#.self_attn_layer_norm."),
    ("encoder.blocks.#.mlp.0.", "audio_tower.layers.#.fc1."),
    ("encoder.blocks.#.mlp.2.", "audio_tower.layers.#.fc2."),
    ("encoder.blocks.#.mlp_ln.", "audio_tower.layers.#.final_layer_norm."),
    ("encoder.", "audio_tower."),
    ("adapter.", "multi_modal_projector."),
    ("model.", "language_model.model."),
    ("lm_head.", "language_model.lm_head."),
)
"""Beginnings of names, ours and Qwen2-Audio's; `#` is a layer's number. The first that fits holds."""
_DEEPER = ("language_model.model.model.", "language_model.model.")
"""transformers 5 saves Qwen2-Audio's decoder one `model.` deeper than it is published."""


def published_name(family: Family, ours: str) -> str:
    """What the family's published checkpoints call the weight that we call `ours`."""
    return _renamed(ours, _OURS_TO_THEIRS) if family is QWEN2_AUDIO else ours


def our_name(family: Family, stored: str) -> str:
    """What we call the weight that a checkpoint of the family, published or saved by transformers, calls `stored`."""
    if family is not QWEN2_AUDIO:
        return stored
    return _renamed(stored.replace(*_DEEPER, 1), _THEIRS_TO_OURS)


def _renamed(name: str, rules: list[tuple[re.Pattern[str], str]]) -> str:
    for pattern, replacement in rules:
        renamed, found = pattern.subn(replacement, name)
        if found:
            return renamed
    return name


def _rule(start: str, other: str) -> tuple[re.Pattern[str], str]:
    return re.compile("^" + re.escape(start).replace(re.escape("#"), r"(\d+)")), other.replace("#", r"\1")


_OURS_TO_THEIRS = [_rule(ours, theirs) for ours, theirs in _QWEN2_AUDIO]
_THEIRS_TO_OURS = [_rule(theirs, ours) for ours, theirs in _QWEN2_AUDIO]
