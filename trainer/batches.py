"""From rows of tokens to tensors, padded or packed; which rows meet in a micro-batch is `trainer.shares`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
import xxhash
from numpy.typing import NDArray

from trainer.model.attention import LONG, is_fused
from trainer.model.audio import AudioBatch
from trainer.model.packing import ALONE, Segments

PAD_TOKEN = 0
"""Fills rows on the right, where causal attention lets no real token see it; so any id will do."""

LENGTH_MULTIPLE = 8
"""Sequences are padded to a multiple of it: fewer distinct shapes for kernels to be prepared for, and tensor-parallel
ranks, of which there are 1, 2, 4 or 8, can each take an equal part."""


class Mels(Protocol):
    """Log-mels by clip: `trainer.mels.MelCache`, or a plain dict."""

    def __getitem__(self, clip: str, /) -> Sequence[NDArray[np.float32]]:
        """Of its segments in order, each [n_mels, frames]."""


@dataclass(frozen=True)
class Row:
    """One sequence: a prompt and the response whose tokens count."""

    tokens: NDArray[np.int64]
    """Prompt, then response. [tokens]"""
    prompt_tokens: int
    """Length of the prompt."""
    clips: tuple[str, ...] = ()
    """URIs of the clips in the order of their audio patches; none for a text-only prompt."""
    name: str = ""
    """What errors call it."""
    given: tuple[tuple[int, int], ...] = ()
    """From where to where tokens behind the prompt do not count: sound that came between thoughts."""

    @property
    def learned(self) -> NDArray[np.int64]:
        """Where the tokens that count stand."""
        counts = np.arange(len(self.tokens)) >= self.prompt_tokens
        for first, end in self.given:
            counts[first:end] = False
        return np.flatnonzero(counts)

    @property
    def response_tokens(self) -> int:
        """Tokens that count."""
        return len(self.learned)

    def muted(self) -> Row:
        """The row with no token that counts: work for a rank that has none, since all must take part in an update."""
        return replace(self, prompt_tokens=len(self.tokens))


@dataclass(frozen=True)
class Batch:
    """One micro-batch. The model reads `tokens`; losses see only responses, in a shape that packing does not change."""

    tokens: torch.Tensor
    """int64, padded [rows, seq] or packed [1, seq]"""
    segments: Segments | None
    """The rows in a packed batch, or prompts and responses, then what fills it up, if anything does; None if it is
    padded."""
    mask: torch.Tensor
    """True at a token of a response; each row is one response. bool [rows, longest response]"""
    responses: torch.Tensor
    """The response tokens, row by row. int64 [tokens]"""
    before: torch.Tensor
    """Where in the flattened hidden states [seq · batch] the token before each of them stands. int64 [tokens]"""
    audio: AudioBatch | None
    """The distinct clips of the rows, segment by segment; None if no row has audio."""
    audio_index: torch.Tensor
    """What each row or segment hears in order, by its place in `audio`, then -1: rows of a group share their clips,
    which are encoded once. int64 [rows or segments, most segments of clips]"""
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
    def segments(self) -> Segments | None:
        """Of the batch."""
        return self.batch.segments


def collate(numbered: Sequence[tuple[int, Row]], mels: Mels, device: torch.device, *, packed: bool = False) -> Batch:
    """The rows, each with its number within the step, as tensors on `device`.

    A prompt that several rows have in common is packed, and computed, once: losses cannot tell. With `packed` all rows
    are packed, else only where that is so.
    """
    rows = [row for _, row in numbered]
    learned = [row.learned for row in rows]
    responses = list(map(len, learned))
    parts = _parts(rows, packed)
    if parts is None:
        lengths = [len(row.tokens) for row in rows]
        tokens = np.full((len(rows), padded_length(max(lengths))), PAD_TOKEN, dtype=np.int64)
        for index, row in enumerate(rows):
            tokens[index, : lengths[index]] = row.tokens
        # hidden states are [seq, batch]
        where = [index + len(rows) * np.arange(lengths[index]) for index in range(len(rows))]
        segments, of_part = None, [row.clips for row in rows]
    else:
        tokens, where, segments = _pack(parts, len(rows))
        of_part = [part.clips for part in parts]
    before = np.concatenate([places[at - 1] for places, at in zip(where, learned, strict=True)])
    if segments is not None:
        segments = replace(segments, read=tuple(np.unique(before).tolist()))
    segments_of = {clip: mels[clip] for clip in dict.fromkeys(clip for row in rows for clip in row.clips)}
    starts = dict(zip(segments_of, np.cumsum([0, *map(len, segments_of.values())]).tolist(), strict=False))
    heard = [[starts[clip] + n for clip in clips for n in range(len(segments_of[clip]))] for clips in of_part]
    most = max(1, *map(len, heard))
    return Batch(
        tokens=torch.from_numpy(tokens).to(device),
        segments=segments,
        mask=torch.from_numpy(np.arange(max(1, *responses)) < np.array(responses)[:, None]).to(device),
        responses=torch.from_numpy(np.concatenate([row.tokens[at] for row, at in zip(rows, learned, strict=True)])).to(
            device
        ),
        before=torch.from_numpy(before).to(device),
        audio=_pad_audio([mel for clip in segments_of.values() for mel in clip], device) if segments_of else None,
        audio_index=torch.tensor([[*of, *[-1] * (most - len(of))] for of in heard], device=device),
        numbers=torch.tensor([index for index, _ in numbered], device=device),
    )


@dataclass(frozen=True)
class _Part:
    """A segment of a pack."""

    tokens: NDArray[np.int64]
    after: int
    clips: tuple[str, ...]
    rows: list[int]
    """Those that it is a part of."""


def _parts(rows: Sequence[Row], packed: bool) -> list[_Part] | None:
    """What a pack of the rows is made of; None: they are to be padded."""
    prompts = Counter((row.clips, row.tokens[: row.prompt_tokens].tobytes()) for row in rows)
    # Transformer Engine's attention cannot share, and for long rows a mask costs more memory than a prompt does time.
    if len(prompts) == len(rows) or is_fused() or max(len(row.tokens) for row in rows) > LONG:
        return [_Part(row.tokens, ALONE, row.clips, [index]) for index, row in enumerate(rows)] if packed else None
    parts: list[_Part] = []
    found: dict[tuple[tuple[str, ...], bytes], int] = {}
    for index, row in enumerate(rows):
        if row.given:  # it hears on behind its prompt
            parts.append(_Part(row.tokens, ALONE, row.clips, [index]))
            continue
        prompt = row.tokens[: row.prompt_tokens]
        at = found.setdefault((row.clips, prompt.tobytes()), len(parts))
        if at == len(parts):
            parts.append(_Part(prompt, ALONE, row.clips, []))
        parts[at].rows.append(index)
        parts.append(
            _Part(row.tokens[row.prompt_tokens : -1], at, (), [index])
        )  # nobody asks for what follows the last
    return parts


def _pack(parts: Sequence[_Part], rows: int) -> tuple[NDArray[np.int64], list[NDArray[np.int64]], Segments]:
    """The parts one after another as tokens [1, seq]; where each row's tokens stand; and the segments, nothing read."""
    lengths = [len(part.tokens) for part in parts]
    starts = np.cumsum([0, *lengths])
    seq = padded_length(int(starts[-1]))
    tokens = np.full((1, seq), PAD_TOKEN, dtype=np.int64)
    tokens[0, : starts[-1]] = np.concatenate([part.tokens for part in parts])
    where: list[NDArray[np.int64]] = [np.empty(0, dtype=np.int64)] * rows
    for part, start in zip(parts, starts, strict=False):
        for row in part.rows:
            where[row] = np.concatenate([where[row], start + np.arange(len(part.tokens))])
    after = [part.after for part in parts]
    if seq > starts[-1]:
        lengths, after = [*lengths, seq - int(starts[-1])], [*after, ALONE]
    return tokens, where, Segments(tuple(lengths), tuple(after), read=())


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
