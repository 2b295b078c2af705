"""RMSNorm for the layers that Transformer Engine does not build; unlike torch's own it knows sequence parallelism."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from megatron.core.transformer import TransformerConfig
from torch import Tensor, nn


class RMSNorm(nn.Module):
    """x / sqrt(mean(x²) + eps) · weight over the last dimension (https://arxiv.org/abs/1910.07467)."""

    def __init__(self, config: TransformerConfig, hidden_size: int, eps: float, **_megatron: Any) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(hidden_size, dtype=config.params_dtype))
        # Each rank then norms its own part of the sequence: Megatron sums the gradients of parameters marked so.
        self.weight.sequence_parallel = config.sequence_parallel

    def forward(self, x: Tensor) -> Tensor:
        """[..., hidden] to the same."""
        if x.is_cuda or x.dtype != torch.float32 or not torch.is_grad_enabled():
            return F.rms_norm(x, self.weight.shape, self.weight, self.eps)
        normed: Tensor = _Normed.apply(x, self.weight, self.eps)
        return normed


class _Normed(torch.autograd.Function):
    """torch's RMSNorm to the bit, on the CPU in fp32, where its own backward pass is a chain of some fifteen
    operations: it takes three times as long.

    With n = x / sqrt(mean(x²) + eps) and d the gradient of n · weight: weight's is Σ d n over rows, x's is
    (d weight - n mean(d weight n)) / sqrt(mean(x²) + eps).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        scale = x.square().mean(-1, keepdim=True).add_(eps).rsqrt_()
        normed = x * scale
        ctx.save_for_backward(normed, scale, weight)
        return normed * weight

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        normed, scale, weight = ctx.saved_tensors
        slope = gradient * normed
        of_weight = slope.flatten(0, -2).sum(0) if ctx.needs_input_grad[1] else None
        if not ctx.needs_input_grad[0]:
            return None, of_weight, None
        along = (slope @ weight).div_(-len(weight)).unsqueeze(-1)
        return (gradient * weight).addcmul_(normed, along).mul_(scale), of_weight, None
