"""Bidirectional attention of an encoder, whose kernel may be another's."""

from __future__ import annotations

from typing import Protocol

import torch.nn.functional as F
from torch import Tensor, nn


class Attend(Protocol):
    """softmax(query key' / sqrt(head)) value."""

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, *, keys: Tensor | None) -> Tensor:
        """All [clips, heads, length, head]; keys: [clips, length] bool, which may be attended to, None for all."""


def fused(query: Tensor, key: Tensor, value: Tensor, *, keys: Tensor | None) -> Tensor:
    """torch's own kernel."""
    mask = None if keys is None else keys[:, None, None, :]
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)


class Attention(nn.Module):
    """Multi-head."""

    def __init__(self, size: int, heads: int, attend: Attend, *, key_bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.attend = attend
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size, bias=key_bias)
        self.value = nn.Linear(size, size)
        self.out = nn.Linear(size, size)

    def forward(self, x: Tensor, keys: Tensor | None) -> Tensor:
        """[clips, length, size] to the same."""
        clips, length, size = x.shape
        query, key, value = (
            project(x).view(clips, length, self.heads, -1).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        mixed = self.attend(query, key, value, keys=keys)
        return self.out(mixed.transpose(1, 2).reshape(clips, length, size))
