"""Clips of any length through the listener, as one batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def embed_clips(encoder: nn.Module, adapter: nn.Module, mels: list[Tensor]) -> list[Tensor]:
    """Embeds mels `[n_mels, frames]` of any lengths; gives `[audio tokens, hidden]` each.

    A clip's embedding does not depend on its neighbours.
    """
    weight = next(encoder.parameters())
    device, dtype = weight.device, weight.dtype
    frames = [mel.shape[-1] for mel in mels]
    batch = torch.zeros(len(mels), mels[0].shape[0], max(frames), device=device, dtype=dtype)
    for row, mel in zip(batch, mels, strict=True):
        row[:, : mel.shape[-1]] = mel.to(device=device, dtype=dtype)
    lengths = torch.tensor(frames, device=device)
    hidden, lengths = encoder(batch, lengths)
    hidden, lengths = adapter(hidden, lengths)
    return [row[:count] for row, count in zip(hidden, lengths.tolist(), strict=True)]
