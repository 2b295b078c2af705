"""Positions: frequencies and the factor of attention against transformers', the turning against Megatron's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from megatron.core.models.common.embeddings.rope_utils import apply_rotary_pos_emb
from megatron.core.models.common.embeddings.yarn_rotary_pos_embedding import _yarn_get_concentration_factor_from_config

from earwitness.families.dims import DecoderDims
from earwitness.families.reading import Section
from earwitness.families.rope import read_yarn
from trainer.model.decoder import transformer_config
from trainer.model.rotary import turn_in_place, turned, yarn_frequencies

DIMS = DecoderDims(256, 64, 1, 2, 2, 64, 32_768, 1e-6, 1e6)
"""Heads of 128 channels, as Qwen2.5's and Qwen3's."""


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"factor": 2.5, "original_max_position_embeddings": 40_960},
        {"attention_factor": 1.3},
        {"mscale": 0.707, "mscale_all_dim": 1.0},
        {"beta_fast": 16, "beta_slow": 2, "truncate": False},
        {"factor": 1.0, "original_max_position_embeddings": 32_768},
    ],
)
def test_they_are_transformers(said: dict[str, Any]) -> None:
    from transformers import Qwen2Config
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    rope = {"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0, "original_max_position_embeddings": 32_768, **said}
    theirs = Qwen2Config(hidden_size=256, num_attention_heads=2, max_position_embeddings=32_768, rope_parameters=rope)
    frequencies, attention = ROPE_INIT_FUNCTIONS["yarn"](theirs)
    ours = read_yarn(Section("config.json", {"max_position_embeddings": 32_768, "rope_parameters": rope}))
    assert ours is not None
    dims = replace(DIMS, yarn=ours)
    torch.testing.assert_close(yarn_frequencies(dims, ours), frequencies, rtol=1e-6, atol=0)
    config = transformer_config(dims, torch.float32)
    assert _yarn_get_concentration_factor_from_config(config) == pytest.approx(attention, rel=1e-12)
    assert ours.attention == pytest.approx(attention, rel=1e-12)


def test_plain_positions_are_multiplied_with_nothing() -> None:
    assert _yarn_get_concentration_factor_from_config(transformer_config(DIMS, torch.float32)) == 1.0


def formula(t: torch.Tensor, angles: torch.Tensor, mscale: float) -> torch.Tensor:
    """Megatron's: t cos + (-second half, first half) sin."""
    first, second = t.chunk(2, -1)
    return mscale * (t * angles.cos() + torch.cat((-second, first), -1) * angles.sin())


@pytest.mark.parametrize("mscale", [1.0, 1.3])
def test_turning_is_megatrons_there_and_back(mscale: float) -> None:
    t = torch.randn(7, 2, 3, 8, dtype=torch.float64, requires_grad=True)
    angles = torch.randn(7, 1, 1, 4, dtype=torch.float64).repeat(1, 1, 1, 2)
    torch.testing.assert_close(turned(t, angles, mscale=mscale), formula(t, angles, mscale), rtol=1e-12, atol=1e-12)
    assert torch.autograd.gradcheck(lambda x: turned(x, angles, mscale=mscale), (t,))


def test_a_part_of_a_product_is_turned_where_it_lies() -> None:
    """Queries and keys are parts of one product, so that their channels stand apart."""
    product = torch.randn(7, 2, 3, 24)
    part, angles = product[..., 8:16], torch.randn(7, 1, 1, 4).repeat(1, 1, 1, 2)
    before = product.clone()
    torch.testing.assert_close(turned(part, angles), formula(part, angles, 1.0))
    assert torch.equal(product, before)


def test_the_decoder_turns_with_it() -> None:
    turn_in_place()
    t, angles = torch.randn(7, 2, 3, 8), torch.randn(7, 1, 1, 4).repeat(1, 1, 1, 2)
    config = transformer_config(DIMS, torch.float32)
    assert torch.equal(apply_rotary_pos_emb(t, angles, config), turned(t, angles))
