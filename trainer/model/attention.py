"""Attention for the places where Transformer Engine is not used: the listener, and the decoder on the CPU."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from megatron.core.packed_seq_params import PackedSeqParams
from megatron.core.transformer import TransformerConfig
from torch import Tensor, nn

LONG = 1024
"""Queries beyond which their scores, length² of each head, cost more memory than the faster products are worth."""


def attend(query: Tensor, key: Tensor, value: Tensor, *, causal: bool = False, keys: Tensor | None = None) -> Tensor:
    """softmax(query key' / sqrt(head)) value, [batch, heads, length, head].

    query: [batch, heads, length, head]. key, value: [batch, groups, length, head], groups dividing heads.
    keys: [batch, length] bool, which positions may be attended to; None: all. Not together with `causal`.
    """
    if query.is_cuda or query.shape[2] > LONG:
        mask = None if keys is None else keys[:, None, None, :]
        grouped = query.shape[1] != key.shape[1]
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal, enable_gqa=grouped)
    # On the CPU torch's flash kernel is slower than batched products for short sequences: forward and backward of
    # 32 x 90 tokens take 19 ms instead of 16 in fp32 and 44 ms instead of 12 in bf16 (one core).
    batch, heads, length, head = query.shape
    groups = key.shape[1]
    rows = heads // groups * length  # a group's queries stand under each other: one product a group
    bias = query.new_zeros(())
    if causal:
        bias = query.new_full((length, length), -math.inf).triu(1).repeat(heads // groups, 1)
    elif keys is not None:
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
        packed_seq_params: PackedSeqParams | None = None,
        **_megatron: Any,
    ) -> Tensor:
        """query [length, batch, heads, head], key and value [length, batch, groups, head] to [length, batch, width].

        Packed: query [tokens, heads, head], key and value [tokens, groups, head] to [tokens, width].
        """
        if packed_seq_params is None:
            return _causal(query, key, value)
        bounds = packed_seq_params.cu_seqlens_q.long()
        lengths = bounds[1:] - bounds[:-1]
        # Each row on its own, padded: far fewer products than one square over all rows under a block-diagonal mask.
        steps = torch.arange(packed_seq_params.max_seqlen_q, device=query.device)[:, None]  # [longest, 1]
        inside = steps < lengths  # [longest, rows]
        token = (bounds[:-1] + steps).clamp(max=len(query) - 1).flatten()
        query, key, value = (x[token].unflatten(0, inside.shape) for x in (query, key, value))
        mixed = _causal(query, key, value).flatten(0, 1)  # [longest · rows, width]
        # Where in it each token stands, in the order of the tokens.
        return mixed[torch.arange(len(token), device=token.device).view_as(inside).t()[inside.t()]]


def _causal(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    query, key, value = (x.permute(1, 2, 0, 3) for x in (query, key, value))
    return attend(query, key, value, causal=True).permute(2, 0, 1, 3).flatten(2)
