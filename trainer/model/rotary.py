"""Rotary embedding: frequencies that YaRN stretches (https://arxiv.org/abs/2309.00071), put into Megatron's plain
embedding, and the turning itself on the CPU.

Megatron has a YaRN embedding too, which lives on GPUs alone and asks for 40 fields of multi-latent attention.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from megatron.core.models.common.embeddings import rope_utils
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


def turn_in_place() -> None:
    """Lets Megatron turn queries and keys by `turned`; calling it again changes nothing. Not where CUDA is."""
    rope_utils._apply_rotary_pos_emb_bshd = turned


def turned(t: Tensor, angles: Tensor, *, mscale: float = 1.0, **_megatron: Any) -> Tensor:
    """Each pair of channels i and i + head / 2 turned by its angle, and multiplied with `mscale`.

    t: [seq, batch, heads, head]. angles: [seq, 1, 1, head], whose halves are the same.
    """
    half = angles[..., : angles.shape[-1] // 2]
    cos, sin = ((of(half) * mscale).to(t.dtype) for of in (torch.cos, torch.sin))
    result: Tensor = _Turned.apply(t, cos, sin)
    return result


class _Turned(torch.autograd.Function):
    """The gradient is turned back: two passes, where Megatron's formula copies halves together, there and back."""

    @staticmethod
    def forward(ctx: Any, t: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turn(t, cos, sin)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turn(gradient, cos, -sin), None, None


def _turn(t: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = t.chunk(2, -1)
    both = torch.empty(t.shape, dtype=t.dtype, device=t.device)
    to_first, to_second = both.chunk(2, -1)
    torch.mul(first, cos, out=to_first).addcmul_(second, sin, value=-1)
    torch.mul(second, cos, out=to_second).addcmul_(first, sin)
    return both
