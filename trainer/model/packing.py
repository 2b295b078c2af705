"""Rows packed one after another, and what they share: the prompt of a group's trajectories stands in a pack once.

A pack is made of segments. A segment may go on from another: a response from its prompt, whose positions it continues
and whose keys and values it attends to. A prompt never sees a response, so its hidden states, keys and values are the
same for all that go on from it; gradients add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from megatron.core.packed_seq_params import PackedSeqParams
from torch import Tensor

ALONE = -1
"""`after` of a segment that goes on from no other."""


@dataclass(frozen=True)
class Segments:
    """What a packed batch is made of, in order."""

    lengths: tuple[int, ...]
    """Tokens of each; a response of which no state is needed has none."""
    after: tuple[int, ...]
    """The segment that each goes on from, or ALONE."""
    read: tuple[int, ...]
    """Where in the pack the states that are asked for stand, each once."""


@dataclass(frozen=True)
class Bucket:
    """Segments that are attended together, padded to the longest."""

    queries: Tensor
    """Where in the pack each query stands. int64 [segments, longest]"""
    keys: Tensor
    """The same for the keys: of the segment before, if there is one, then its own. int64 [segments, longest]"""
    bias: Tensor | None
    """0 where a query may attend to a key, else -inf. float32 [segments, queries, keys]; None: causality is all."""


@dataclass
class Packing(PackedSeqParams):
    """How our own attention and rotary embedding read a pack, made once for all layers.

    Megatron then treats the pack as one sequence: the format is not its `thd`, in which it would start positions anew
    in every segment, one by one.
    """

    positions: Tensor = field(default_factory=lambda: torch.empty(0))
    """Of each token within its row. int64 [tokens]"""
    buckets: list[Bucket] = field(default_factory=list)
    """All segments."""
    places: Tensor = field(default_factory=lambda: torch.empty(0))
    """Where each token stands in the buckets' flattened queries. int64 [tokens]"""
    read: Tensor = field(default_factory=lambda: torch.empty(0))
    """The tokens whose states are asked for. int64 [at most tokens]"""


def packing(segments: Segments, device: torch.device) -> Packing:
    """For our own attention."""
    lengths = np.array(segments.lengths)
    after = np.array(segments.after)
    starts = np.cumsum(lengths) - lengths
    before = np.where(after == ALONE, 0, lengths[after])
    positions = np.concatenate([first + np.arange(n) for first, n in zip(before, lengths, strict=True)])
    places = np.empty(len(positions), dtype=np.int64)
    buckets, at = [], 0
    for chosen in (np.flatnonzero(after == ALONE), np.flatnonzero(after != ALONE)):
        longest = int(lengths[chosen].max(initial=0))
        if not longest:
            continue
        steps = np.arange(longest)
        inside = steps < lengths[chosen, None]
        own = np.where(inside, starts[chosen, None] + steps, 0)
        places[own[inside]] = at + np.flatnonzero(inside)
        at += inside.size
        keys, bias = own, None
        if after[chosen[0]] != ALONE:
            prompt_steps = np.arange(int(before[chosen].max()))
            there = prompt_steps < before[chosen, None]
            keys = np.concatenate([np.where(there, starts[after[chosen], None] + prompt_steps, 0), own], axis=1)
            seen = np.concatenate(
                [
                    np.broadcast_to(there[:, None, :], (len(chosen), longest, len(prompt_steps))),
                    np.broadcast_to(np.tri(longest, dtype=bool), (len(chosen), longest, longest)),
                ],
                axis=2,
            )
            bias = torch.from_numpy(np.where(seen, np.float32(0), np.float32(-np.inf))).to(device)
        buckets.append(Bucket(torch.from_numpy(own).to(device), torch.from_numpy(keys).to(device), bias))
    longest_row = int((before + lengths).max())
    return Packing(
        qkv_format="sbhd",
        max_seqlen_q=longest_row,
        max_seqlen_kv=longest_row,
        positions=torch.from_numpy(positions).to(device),
        buckets=buckets,
        places=torch.from_numpy(places).to(device),
        read=torch.tensor(segments.read, dtype=torch.int64, device=device),
    )


def packed_rows(lengths: Sequence[int], device: torch.device) -> PackedSeqParams:
    """For Transformer Engine's kernels, which know no shared prompts."""
    bounds = torch.tensor([0, *np.cumsum(lengths)], dtype=torch.int32, device=device)
    longest = max(lengths)
    return PackedSeqParams(
        qkv_format="thd", cu_seqlens_q=bounds, cu_seqlens_kv=bounds, max_seqlen_q=longest, max_seqlen_kv=longest
    )
