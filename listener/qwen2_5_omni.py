"""Qwen2.5-Omni's listener: Whisper's encoder, window by window, and one linear layer at its 25 Hz."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earwitness.families.dims import STRIDE, AudioDims
from earwitness.families.qwen2_5_omni import WINDOW
from listener.attention import Attend
from listener.whisper import Encoder, Projector, Sinusoids


class WindowedEncoder(Encoder):
    """Each window of a clip is a clip to Whisper's encoder."""

    def __init__(self, dims: AudioDims, attend: Attend) -> None:
        within = replace(dims, positions=WINDOW // STRIDE, trailing_frames=0)
        super().__init__(within, attend, Sinusoids(within.positions, dims.size))
        self.whole = dims

    def forward(self, mels: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """As `Encoder.forward`; a clip's trailing frames are not even seen."""
        counted = (frames - self.whole.trailing_frames).clamp(min=0)
        longest, limit = int(counted.max()), self.whole.max_frames
        if longest > limit:
            raise ValueError(f"a clip of {longest} mel frames is longer than the encoder's {limit}")
        windows = -(-longest // WINDOW)
        mels = F.pad(mels[:, :, :longest], (0, windows * WINDOW - longest))
        starts = WINDOW * torch.arange(windows, device=frames.device)
        lengths = (counted[:, None] - starts).clamp(0, WINDOW)  # [clips, windows]
        cut = mels.unflatten(2, (windows, WINDOW)).transpose(1, 2)  # [clips, windows, n_mels, WINDOW]
        heard, tokens = super().forward(cut[lengths > 0], lengths[lengths > 0])
        each = heard.new_zeros(*lengths.shape, WINDOW // STRIDE // STRIDE, heard.shape[2])
        each[lengths > 0] = F.pad(heard, (0, 0, 0, each.shape[2] - heard.shape[1]))
        totals = torch.zeros_like(lengths).masked_scatter(lengths > 0, tokens).sum(1)
        return each.flatten(1, 2)[:, : int(totals.max())], totals


def build(dims: AudioDims, hidden_size: int, attend: Attend) -> tuple[nn.Module, nn.Module]:
    """Encoder and projector."""
    return WindowedEncoder(dims, attend), Projector(dims.size, hidden_size)
