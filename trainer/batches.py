"""From rows of tokens to padded tensors: micro-batches, and which rank takes which rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from trainer.model.audio import AudioBatch

PAD_TOKEN = 0
"""Fills rows on the right, where causal attention lets no real token see it; so any id will do."""

LENGTH_MULTIPLE = 8
"""Sequences are padded to a multiple of it: fewer distinct shapes for kernels to be prepared for."""

Item = TypeVar("Item")


class Mels(Protocol):
    """Log-mels by clip: `trainer.mels.MelCache`, or a plain dict."""

    def __getitem__(self, clip: str, /) -> NDArray[np.float32]:
        """[n_mels, frames]"""


@dataclass(frozen=True)
class Row:
    """One sequence: a prompt and the response whose tokens count."""

    tokens: NDArray[np.int64]
    """Prompt, then response. [tokens]"""
    prompt_tokens: int
    """Length of the prompt."""
    clip: str = ""
    """URI of the clip; empty for a text-only prompt."""
    name: str = ""
    """What errors call it."""

    @property
    def response_tokens(self) -> int:
        """Tokens that count."""
        return len(self.tokens) - self.prompt_tokens

    def muted(self) -> Row:
        """The row with no token that counts: work for a rank that has none, since all must take part in an update."""
        return replace(self, prompt_tokens=len(self.tokens))


@dataclass(frozen=True)
class Batch:
    """One micro-batch, padded on the right."""

    tokens: torch.Tensor
    """int64 [batch, seq]"""
    lengths: torch.Tensor
    """Tokens of each row before the padding. int64 [batch]"""
    response_mask: torch.Tensor
    """True at response tokens. bool [batch, seq]"""
    audio: AudioBatch | None
    """The distinct clips of the rows; None if no row has audio."""
    audio_index: torch.Tensor
    """Clip of each row, -1 for a text-only one: rows of a group share a clip, which is encoded once. int64 [batch]"""
    numbers: torch.Tensor
    """Number of each row within its step, over all ranks and micro-batches: how errors find its name. int64 [batch]"""

    @property
    def positions(self) -> torch.Tensor:
        """0, 1, 2, ... in each row. int64 [batch, seq]"""
        return torch.arange(self.tokens.shape[1], device=self.tokens.device).expand_as(self.tokens)


def pad(numbered: Sequence[tuple[int, Row]], mels: Mels, device: torch.device) -> Batch:
    """The rows, each with its number within the step, as tensors on `device`."""
    rows = [row for _, row in numbered]
    longest = max(len(row.tokens) for row in rows)
    width = -(-longest // LENGTH_MULTIPLE) * LENGTH_MULTIPLE
    tokens = np.full((len(rows), width), PAD_TOKEN, dtype=np.int64)
    mask = np.zeros((len(rows), width), dtype=bool)
    for index, row in enumerate(rows):
        tokens[index, : len(row.tokens)] = row.tokens
        mask[index, row.prompt_tokens : len(row.tokens)] = True
    clips = list(dict.fromkeys(row.clip for row in rows if row.clip))
    number = {clip: index for index, clip in enumerate(clips)}
    return Batch(
        tokens=torch.from_numpy(tokens).to(device),
        lengths=torch.tensor([len(row.tokens) for row in rows], device=device),
        response_mask=torch.from_numpy(mask).to(device),
        audio=_pad_audio([mels[clip] for clip in clips], device) if clips else None,
        audio_index=torch.tensor([number.get(row.clip, -1) for row in rows], device=device),
        numbers=torch.tensor([index for index, _ in numbered], device=device),
    )


def spread(
    rows: Sequence[Row], values: Sequence[NDArray[np.float32]], width: int, device: torch.device
) -> torch.Tensor:
    """Puts one number for each response token where the token stands; 0 elsewhere. float32 [batch, width]."""
    spread_out = np.zeros((len(rows), width), dtype=np.float32)
    for index, (row, numbers) in enumerate(zip(rows, values, strict=True)):
        spread_out[index, row.prompt_tokens : len(row.tokens)] = numbers
    return torch.from_numpy(spread_out).to(device)


def chunks(items: Sequence[Item], size: int) -> list[list[Item]]:
    """The items in order, `size` at a time."""
    return [list(items[start : start + size]) for start in range(0, len(items), size)]


def share(items: Sequence[Item], rank: int, ranks: int) -> list[Item]:
    """The consecutive part of the items that belongs to `rank` of `ranks`; parts differ by one item at most."""
    bounds = [len(items) * index // ranks for index in range(ranks + 1)]
    return list(items[bounds[rank] : bounds[rank + 1]])


def _pad_audio(mels: Sequence[NDArray[np.float32]], device: torch.device) -> AudioBatch:
    frames = [mel.shape[1] for mel in mels]
    padded = np.zeros((len(mels), mels[0].shape[0], max(frames)), dtype=np.float32)
    for index, mel in enumerate(mels):
        padded[index, :, : frames[index]] = mel
    return AudioBatch(torch.from_numpy(padded).to(device), torch.tensor(frames, device=device))
