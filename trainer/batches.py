"""From rows of tokens to tensors, padded or packed; which rows meet in a micro-batch is `trainer.shares`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
import xxhash
from numpy.typing import NDArray

from trainer.model.audio import AudioBatch

PAD_TOKEN = 0
"""Fills rows on the right, where causal attention lets no real token see it; so any id will do."""

LENGTH_MULTIPLE = 8
"""Sequences are padded to a multiple of it: fewer distinct shapes for kernels to be prepared for, and tensor-parallel
ranks, of which there are 1, 2, 4 or 8, can each take an equal part."""


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
    """One micro-batch. The model reads `tokens`; losses see only responses, in a shape that packing does not change."""

    tokens: torch.Tensor
    """int64, padded [rows, seq] or packed [1, seq]"""
    segments: tuple[int, ...] | None
    """Lengths of the rows in a packed batch, then of what fills it up, if anything does; None if it is padded."""
    mask: torch.Tensor
    """True at a token of a response; each row is one response. bool [rows, longest response]"""
    responses: torch.Tensor
    """The response tokens, row by row. int64 [tokens]"""
    before: torch.Tensor
    """Where in the flattened hidden states [seq · batch] the token before each of them stands. int64 [tokens]"""
    audio: AudioBatch | None
    """The distinct clips of the rows; None if no row has audio."""
    audio_index: torch.Tensor
    """Clip of each row, -1 for a text-only one: rows of a group share a clip, which is encoded once. int64 [rows]"""
    numbers: torch.Tensor
    """Number of each row within its step, over all ranks and micro-batches: how errors find its name. int64 [rows]"""


class AroundBatch:
    """A micro-batch with figures of its rows beside the batch, which is what the model is fed."""

    batch: Batch

    @property
    def tokens(self) -> torch.Tensor:
        """Of the batch."""
        return self.batch.tokens

    @property
    def audio(self) -> AudioBatch | None:
        """Of the batch."""
        return self.batch.audio

    @property
    def audio_index(self) -> torch.Tensor:
        """Of the batch."""
        return self.batch.audio_index

    @property
    def segments(self) -> Sequence[int] | None:
        """Of the batch."""
        return self.batch.segments


def collate(numbered: Sequence[tuple[int, Row]], mels: Mels, device: torch.device, *, packed: bool = False) -> Batch:
    """The rows, each with its number within the step, as tensors on `device`."""
    rows = [row for _, row in numbered]
    lengths = [len(row.tokens) for row in rows]
    responses = [row.response_tokens for row in rows]
    if packed:
        starts = np.cumsum([0, *lengths])
        seq = padded_length(int(starts[-1]))
        tokens = np.full((1, seq), PAD_TOKEN, dtype=np.int64)
        tokens[0, : starts[-1]] = np.concatenate([row.tokens for row in rows])
        first, stride = starts[:-1], 1
        filling = (seq - int(starts[-1]),) if seq > starts[-1] else ()
        segments = (*lengths, *filling)
    else:
        tokens = np.full((len(rows), padded_length(max(lengths))), PAD_TOKEN, dtype=np.int64)
        for index, row in enumerate(rows):
            tokens[index, : lengths[index]] = row.tokens
        first, stride = np.arange(len(rows)), len(rows)  # hidden states are [seq, batch]
        segments = None
    before = [
        start + stride * np.arange(row.prompt_tokens - 1, len(row.tokens) - 1)
        for start, row in zip(first, rows, strict=True)
    ]
    clips = list(dict.fromkeys(row.clip for row in rows if row.clip))
    number = {clip: index for index, clip in enumerate(clips)}
    return Batch(
        tokens=torch.from_numpy(tokens).to(device),
        segments=segments,
        mask=torch.from_numpy(np.arange(max(1, *responses)) < np.array(responses)[:, None]).to(device),
        responses=torch.from_numpy(np.concatenate([row.tokens[row.prompt_tokens :] for row in rows])).to(device),
        before=torch.from_numpy(np.concatenate(before)).to(device),
        audio=_pad_audio([mels[clip] for clip in clips], device) if clips else None,
        audio_index=torch.tensor([number.get(row.clip, -1) for row in rows], device=device),
        numbers=torch.tensor([index for index, _ in numbered], device=device),
    )


def padded_length(tokens: int) -> int:
    """The next multiple of LENGTH_MULTIPLE."""
    return -(-tokens // LENGTH_MULTIPLE) * LENGTH_MULTIPLE


def spread(values: Sequence[NDArray[np.float32]], mask: torch.Tensor) -> torch.Tensor:
    """One number for each response token of each row, in the shape of the mask; 0 elsewhere. float32."""
    flat = torch.from_numpy(np.concatenate(values).astype(np.float32)).to(mask.device)
    return torch.zeros(mask.shape, device=mask.device).masked_scatter(mask, flat)


def _pad_audio(mels: Sequence[NDArray[np.float32]], device: torch.device) -> AudioBatch:
    frames = [mel.shape[1] for mel in mels]
    padded = np.zeros((len(mels), mels[0].shape[0], max(frames)), dtype=np.float32)
    for index, mel in enumerate(mels):
        padded[index, :, : frames[index]] = mel
    digests = tuple(xxhash.xxh3_128_digest(np.ascontiguousarray(mel).data) for mel in mels)
    return AudioBatch(torch.from_numpy(padded).to(device), torch.tensor(frames, device=device), digests)
