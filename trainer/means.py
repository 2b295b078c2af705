"""Means over an update's tokens or sequences. Tensors are [rows, tokens]; masks are bool, true at tokens that count.

Both divide by the *global* count, over all ranks and micro-batches: so the gradient does not depend on how the update
was cut up.
"""

from __future__ import annotations

import torch


def token_mean(values: torch.Tensor, mask: torch.Tensor, tokens: int) -> torch.Tensor:
    """Sum of the values under the mask, divided by the global token count. Scalar.

    Masked-out values may be anything, NaN included: they are replaced, not multiplied by 0.
    """
    if tokens < 1:
        raise ValueError(f"tokens: {tokens}; expected the update's global count, at least 1")
    return torch.where(mask, values, torch.zeros_like(values)).sum() / tokens


def sequence_mean(values: torch.Tensor, mask: torch.Tensor, sequences: int) -> torch.Tensor:
    """Sum over rows of the mean under the row's mask, divided by the global count of rows with a token. Scalar."""
    if sequences < 1:
        raise ValueError(f"sequences: {sequences}; expected the update's global count, at least 1")
    return (masked_sum(values, mask) / mask.sum(1).clamp(min=1)).sum() / sequences


def masked_sum(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Sum of each row under its mask. [rows]"""
    return torch.where(mask, values, torch.zeros_like(values)).sum(1)
