"""Attention for the places where Transformer Engine is not used: the listener, and the decoder on the CPU."""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import Any

import torch
import torch.nn.functional as F
from megatron.core.transformer import TransformerConfig
from torch import Tensor, nn

from trainer.model.packing import Bucket, Packing

TRANSFORMER_ENGINE = find_spec("transformer_engine") is not None
"""Whether its layers can be had: it is installed with the `gpu` extra."""

LONG = 1024
"""Queries beyond which their scores, length² of each head, cost more memory than the faster products are worth."""


def is_fused() -> bool:
    """True where the decoder's layers are Transformer Engine's, whose attention is not ours."""
    return torch.cuda.is_available() and TRANSFORMER_ENGINE


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    causal: bool = False,
    keys: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """softmax(query key' / sqrt(head) + bias) value, [batch, heads, length, head].

    query: [batch, heads, length, head]. key, value: [batch, groups, keys, head], groups dividing heads. At most one of
    `causal`; `keys`, [batch, keys] bool, which of them may be attended to; and `bias`, [batch, length, keys].
    """
    if query.is_cuda or query.shape[2] > LONG:
        mask = None if keys is None else keys[:, None, None, :]
        mask = mask if bias is None else bias[:, None].to(query.dtype)
        grouped = query.shape[1] != key.shape[1]
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal, enable_gqa=grouped)
    # On the CPU torch's flash kernel is slower than batched products for short sequences: forward and backward of
    # 32 x 90 tokens take 19 ms instead of 16 in fp32 and 44 ms instead of 12 in bf16 (one core).
    batch, heads, length, head = query.shape
    groups = key.shape[1]
    rows = heads // groups * length  # a group's queries stand under each other: one product a group
    if bias is not None:
        bias = bias.to(query.dtype)[:, None, None].expand(-1, groups, heads // groups, -1, -1)
        bias = bias.reshape(batch * groups, rows, -1)
    elif causal:
        bias = query.new_full((length, length), -math.inf).triu(1).repeat(heads // groups, 1)
    elif keys is None:
        bias = query.new_zeros(())
    else:
        bias = query.new_zeros(keys.shape).masked_fill(~keys, -math.inf).repeat_interleave(groups, 0)[:, None, :]
    scores = torch.baddbmm(
        bias,
        query.reshape(batch * groups, rows, head),
        key.reshape(batch * groups, -1, head).transpose(1, 2),
        alpha=1.0 / math.sqrt(head),
    )
    mixed = torch.bmm(scores.softmax(-1), value.reshape(batch * groups, -1, head))
    return mixed.view(batch, heads, length, head)


class CausalAttention(nn.Module):
    """Megatron's core attention by `attend`; rows are padded on the right, so that causality is the only mask."""

    def __init__(self, config: TransformerConfig, **_megatron: Any) -> None:
        super().__init__()
        del config  # the scale follows from the head's size

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *_masks: Any,
        packed_seq_params: Packing | None = None,
        **_megatron: Any,
    ) -> Tensor:
        """query [length, batch, heads, head], key and value [length, batch, groups, head] to [length, batch, width].

        Packed, the batch is 1.
        """
        if packed_seq_params is None:
            query, key, value = (x.permute(1, 2, 0, 3) for x in (query, key, value))
            return attend(query, key, value, causal=True).permute(2, 0, 1, 3).flatten(2)
        # Each segment on its own, padded: far fewer products than one square over the pack under a mask.
        mixed = [_attend_bucket(query[:, 0], key[:, 0], value[:, 0], bucket) for bucket in packed_seq_params.buckets]
        return torch.cat(mixed).index_select(0, packed_seq_params.places).unsqueeze(1)


def _attend_bucket(query: Tensor, key: Tensor, value: Tensor, bucket: Bucket) -> Tensor:
    """query [tokens, heads, head], key and value [tokens, groups, head] to [segments · longest, width]."""
    query = query.index_select(0, bucket.queries.flatten()).unflatten(0, bucket.queries.shape).transpose(1, 2)
    key, value = (
        x.index_select(0, bucket.keys.flatten()).unflatten(0, bucket.keys.shape).transpose(1, 2) for x in (key, value)
    )
    mixed = attend(query, key, value, causal=bucket.bias is None, bias=bucket.bias)
    return mixed.transpose(1, 2).flatten(2).flatten(0, 1)
