"""Qwen3-ASR's listener: convolutions over time and mel bins, second by second, attention in windows of 8 s, and two
linear layers at its 12.5 Hz."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earwitness.families.dims import KERNEL, STRIDE, AudioDims
from earwitness.families.qwen3_asr import CHUNK, CHUNKS_HEARD, CONVOLUTIONS, POSITIONS, halved
from listener.attention import Attend
from listener.lengths import within
from listener.whisper import NORM_EPS, Block, Sinusoids, TwoLayerProjector

TOGETHER = 64
"""Chunks that are convolved at a time: the first convolution of as many has 0.4 GB in fp32, of 10 minutes 3.7 GB."""
WINDOW = CHUNKS_HEARD * POSITIONS
"""Positions that attend to each other."""


class ChunkedEncoder(nn.Module):
    """100 mel frames/s to 13 positions/s."""

    def __init__(self, dims: AudioDims, attend: Attend) -> None:
        super().__init__()
        assert dims.channels is not None, "the encoder convolves over mel bins"
        self.dims = dims
        self.conv2d1 = nn.Conv2d(1, dims.channels, KERNEL, stride=STRIDE, padding=1)
        self.conv2d2 = nn.Conv2d(dims.channels, dims.channels, KERNEL, stride=STRIDE, padding=1)
        self.conv2d3 = nn.Conv2d(dims.channels, dims.channels, KERNEL, stride=STRIDE, padding=1)
        self.conv_out = nn.Linear(dims.channels * halved(dims.n_mels), dims.size, bias=False)
        self.positional_embedding = Sinusoids(POSITIONS, dims.size)
        self.blocks = nn.ModuleList(Block(dims, attend) for _ in range(dims.layers))
        self.after_norm = nn.LayerNorm(dims.size, eps=NORM_EPS)

    def forward(self, mels: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """[clips, n_mels, frames] to [clips, positions, size] and the lengths [clips]; frames: of each clip as
        `earwitness.logmel` gives them, of which the trailing ones are not even seen."""
        counted = (frames - self.dims.trailing_frames).clamp(min=0)
        longest, limit = int(counted.max()), self.dims.max_frames
        if longest > limit:
            raise ValueError(f"a clip of {longest} mel frames is longer than the encoder's {limit}")
        chunks = -(-longest // CHUNK)
        seen = F.pad(mels[:, :, :longest], (0, chunks * CHUNK - longest)).to(self.conv_out.weight.dtype)
        if (keep := within(counted, chunks * CHUNK)) is not None:
            seen = seen.masked_fill(~keep[:, None], 0.0)
        lengths = (counted[:, None] - CHUNK * torch.arange(chunks, device=frames.device)).clamp(0, CHUNK)
        cut = seen.unflatten(2, (chunks, CHUNK)).transpose(1, 2)[lengths > 0]  # [chunks of all clips, n_mels, CHUNK]
        heard = torch.cat([self._convolved(some) for some in cut.split(TOGETHER)])
        each = heard.new_zeros(*lengths.shape, *heard.shape[1:])
        each[lengths > 0] = heard
        totals = lengths
        for _ in range(CONVOLUTIONS):
            totals = (totals + 1) // STRIDE
        totals = totals.sum(1)
        return self._attended(each.flatten(1, 2), totals), totals

    def _convolved(self, chunks: Tensor) -> Tensor:
        """[chunks, n_mels, CHUNK] to [chunks, POSITIONS, size]."""
        x = chunks[:, None]
        for convolution in (self.conv2d1, self.conv2d2, self.conv2d3):
            x = F.gelu(convolution(x))
        return self.conv_out(x.permute(0, 3, 1, 2).flatten(2)) + self.positional_embedding.weight

    def _attended(self, x: Tensor, totals: Tensor) -> Tensor:
        """[clips, positions, size] to the same, up to the most that a clip has, window by window."""
        longest = int(totals.max())
        width = min(WINDOW, longest)
        windows = -(-longest // width)
        x = F.pad(x[:, :longest], (0, 0, 0, windows * width - longest)).unflatten(1, (windows, width))
        lengths = (totals[:, None] - width * torch.arange(windows, device=totals.device)).clamp(0, width)
        some = x[lengths > 0]
        keys = within(lengths[lengths > 0], width)
        for block in self.blocks:
            some = block(some, keys)
        each = torch.zeros_like(x)
        each[lengths > 0] = self.after_norm(some)
        return each.flatten(1, 2)[:, :longest]


def build(dims: AudioDims, hidden_size: int, attend: Attend) -> tuple[nn.Module, nn.Module]:
    """Encoder and projector."""
    return ChunkedEncoder(dims, attend), TwoLayerProjector(dims.size, dims.size, hidden_size)
