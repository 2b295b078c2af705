"""SwiGLU on the CPU, where nothing fuses it: the gate of the decoder's MLP, in as few passes over memory as can be."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from megatron.core.transformer import TransformerConfig
from torch import Tensor, nn


class SwiGlu(nn.Module):
    """silu(gate) · up of gate and up side by side (https://arxiv.org/abs/2002.05202), as Megatron's MLP asks for it."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        del config

    def forward(self, x: Tensor) -> Tensor:
        """[..., 2 · width] to [..., width]."""
        gated: Tensor = _Gated.apply(x)
        return gated


class _Gated(torch.autograd.Function):
    """What autograd computes, to the bit; but both gradients are written where they belong, not copied together."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        gate, up = x.chunk(2, -1)
        opened = F.silu(gate)
        ctx.save_for_backward(x, opened)
        return opened * up

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        x, opened = ctx.saved_tensors
        gate, up = x.chunk(2, -1)
        both = torch.empty_like(x)
        of_gate, of_up = both.chunk(2, -1)
        torch.mul(gradient, opened, out=of_up)
        torch.mul(gradient, up, out=of_gate)
        torch.ops.aten.silu_backward(of_gate, gate, grad_input=of_gate)
        return both
