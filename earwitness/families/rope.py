"""How a decoder's positions are scaled, as its config says it: not at all, or by YaRN."""

from __future__ import annotations

import math

from earwitness.errors import InputError
from earwitness.families.dims import Yarn
from earwitness.families.reading import Section

KEYS = ("rope_scaling", "rope_parameters")
"""Where it stands; transformers 5 writes the second."""
KINDS = ("rope_type", "type")
"""What says which scaling it is; older configs have the second."""
MARKS = (*KINDS, "rope_theta", "mrope_section", "finetuned")
"""Fields that are read elsewhere, or say nothing."""
DEFAULTS = {"beta_fast": 32.0, "beta_slow": 1.0, "truncate": True}
"""The paper's, where a config does not say."""


def read_yarn(text: Section) -> Yarn | None:
    """How YaRN stretches positions; None for plain ones. Refuses other scalings."""
    said = {key: fields for key in KEYS if isinstance(fields := text.fields.get(key), dict)}
    stretched = [key for key, value in said.items() if "yarn" in (value.get(kind) for kind in KINDS)]
    for key in KEYS:
        if key not in stretched:
            text.plain_rope(key)
    if not stretched:
        return None
    if len(said) == 2:
        text.refuse_other(KEYS[0], said[KEYS[0]], said[KEYS[1]])
    key = stretched[0]
    rope = Section(f"{text.path}: {key}", {**DEFAULTS, **said[key]})
    for kind in KINDS:
        rope.only(kind, "yarn")
    known = {"factor", "original_max_position_embeddings", "beta_fast", "beta_slow", "truncate", "attention_factor",
             "mscale", "mscale_all_dim", *MARKS}  # fmt: skip
    for name in sorted(rope.fields.keys() - known):
        rope.only(name, None)
    factor, positions = rope.number("factor"), rope.count("original_max_position_embeddings")
    longest, most = text.count("max_position_embeddings"), factor * positions
    if longest > most:
        fit = f"at most {key}'s factor times original_max_position_embeddings, {most:,.0f}"
        raise InputError(f"{text.path}: max_position_embeddings", f"is {longest:,}", fit)
    return Yarn(
        factor=factor,
        positions=positions,
        attention=_attention(rope, factor),
        beta_fast=rope.number("beta_fast"),
        beta_slow=rope.number("beta_slow"),
        truncate=rope.flag("truncate"),
    )


def _attention(rope: Section, factor: float) -> float:
    """What queries and keys are multiplied with: equation 22 of the paper, or as the config says."""
    if rope.fields.get("attention_factor") is not None:
        return rope.number("attention_factor")

    def scale(name: str) -> float:
        return 0.1 * rope.number(name) * math.log(factor) + 1.0

    if rope.fields.get("mscale") and rope.fields.get("mscale_all_dim"):
        return scale("mscale") / scale("mscale_all_dim")
    return 0.1 * math.log(factor) + 1.0
