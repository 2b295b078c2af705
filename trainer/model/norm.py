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
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)
