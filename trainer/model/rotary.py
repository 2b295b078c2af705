"""Rotary frequencies that YaRN stretches (https://arxiv.org/abs/2309.00071), put into Megatron's plain embedding.

Megatron has a YaRN embedding too, which lives on GPUs alone and asks for 40 fields of multi-latent attention.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from megatron.core.transformer import TransformerConfig
from torch import Tensor

from earwitness.families.dims import DecoderDims, Yarn


def yarn_frequencies(dims: DecoderDims, yarn: Yarn) -> Tensor:
    """Radians a position turns each pair of channels by, [head / 2] fp32.

    Pairs that turn more than `beta_fast` times over the original positions stay as they are, those that turn less than
    `beta_slow` times turn `factor` times slower, and between them there is a ramp (section 3.2, by parts).
    """
    half = dims.head_size // 2
    plain = 1.0 / dims.rope_theta ** (torch.arange(half, dtype=torch.float32) / half)
    first, last = (_pair(turns, dims, yarn.positions) for turns in (yarn.beta_fast, yarn.beta_slow))
    if yarn.truncate:
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, dims.head_size - 1)
    width = last - first or 1e-3
    ramp = ((torch.arange(half, dtype=torch.float32) - first) / width).clamp(0, 1)
    return plain * (1 - ramp) + plain / yarn.factor * ramp


def _pair(turns: float, dims: DecoderDims, positions: int) -> float:
    """The pair of channels, counted in fractions, that turns so many times over `positions`."""
    return dims.head_size * math.log(positions / (2 * math.pi * turns)) / (2 * math.log(dims.rope_theta))


def scale_attention(config: TransformerConfig, yarn: Yarn) -> None:
    """Tells Megatron what to multiply sines and cosines with, in the fields that its attention reads: it computes
    (0.1 mscale log factor + 1) / (0.1 mscale_all_dim log factor + 1) of them."""
    said: dict[str, Any] = {
        "yarn_rotary_scaling_factor": math.e,  # whose logarithm is 1
        "yarn_mscale": 10.0 * (yarn.attention - 1.0),
        "yarn_mscale_all_dim": 0.0,
    }
    for name, value in said.items():
        setattr(config, name, value)
