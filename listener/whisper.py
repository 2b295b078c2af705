"""Whisper's encoder with pooling by two, which the families share: what `earwitness.families.whisper` says in torch.

Masks keep each clip's output equal to running it alone.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earwitness.families.dims import KERNEL, STRIDE, AudioDims
from listener.attention import Attend, Attention
from listener.lengths import within

NORM_EPS = 1e-5
"""torch's default, which Whisper uses."""
POSITION_PERIOD = 10_000.0
"""Longest wavelength of Whisper's sinusoids over 2 pi."""


class Encoder(nn.Module):
    """Two convolutions, positions, pre-norm blocks, pooling by two: 100 mel frames/s to 25 Hz."""

    def __init__(self, dims: AudioDims, attend: Attend, positions: nn.Module | None = None) -> None:
        """`positions`: has the positional embedding as its `weight`, if checkpoints have not."""
        super().__init__()
        self.dims = dims
        self.conv1 = nn.Conv1d(dims.n_mels, dims.size, KERNEL, padding=1)
        self.conv2 = nn.Conv1d(dims.size, dims.size, KERNEL, stride=STRIDE, padding=1)
        self.positional_embedding = positions or nn.Embedding(dims.positions, dims.size)
        self.positional_embedding.requires_grad_(dims.learned_positions)
        self.blocks = nn.ModuleList(Block(dims, attend) for _ in range(dims.layers))
        self.avg_pooler = nn.AvgPool1d(STRIDE, stride=STRIDE)
        self.after_norm = nn.LayerNorm(dims.size, eps=NORM_EPS)

    def forward(self, mels: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """[clips, n_mels, frames] to [clips, counted frames // 4, size] and the lengths [clips].

        frames: of each clip as `earwitness.logmel` gives them. Counted are all but a clip's trailing ones, which only
        the convolutions see.
        """
        counted = frames - self.dims.trailing_frames
        limit = STRIDE * self.dims.positions
        if int(counted.max()) > limit:
            raise ValueError(f"a clip of {int(counted.max())} mel frames is longer than the encoder's {limit}")
        longest = min(int(frames.max()), limit)
        keep = within(frames, longest)
        x = mels[:, :, :longest].to(self.conv1.weight.dtype)
        # A convolution at a clip's end must see zeros, as its padding would be, not what batching put there.
        x = F.gelu(self.conv1(x * keep[:, None]) if keep is not None else self.conv1(x))
        x = F.gelu(self.conv2(x * keep[:, None] if keep is not None else x)).transpose(1, 2)
        lengths = (counted + 1) // STRIDE
        half = int(lengths.max())
        x = x[:, :half] + self.positional_embedding.weight[:half]
        keys = within(lengths, half)
        for block in self.blocks:
            x = block(x, keys)
        x = self.avg_pooler(x.transpose(1, 2)).transpose(1, 2)
        return self.after_norm(x), lengths // STRIDE


class Block(nn.Module):
    """Attention and MLP, each on the normalised residual."""

    def __init__(self, dims: AudioDims, attend: Attend) -> None:
        super().__init__()
        size = dims.size
        self.attn = Attention(size, dims.heads, attend, key_bias=dims.key_bias)
        self.attn_ln = nn.LayerNorm(size, eps=NORM_EPS)
        self.mlp = nn.Sequential(nn.Linear(size, dims.mlp_size), nn.GELU(), nn.Linear(dims.mlp_size, size))
        self.mlp_ln = nn.LayerNorm(size, eps=NORM_EPS)

    def forward(self, x: Tensor, keys: Tensor | None) -> Tensor:
        """[clips, length, size] to the same; `keys` [clips, length] says which positions may be attended to."""
        x = x + self.attn(self.attn_ln(x), keys)
        return x + self.mlp(self.mlp_ln(x))


class Projector(nn.Module):
    """Projects to the decoder's width."""

    def __init__(self, size: int, hidden_size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, hidden_size)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[clips, length, size] to [clips, length, hidden] and the lengths as they are."""
        return self.linear(x), lengths


class TwoLayerProjector(nn.Module):
    """Projects to a width between, and to the decoder's."""

    def __init__(self, size: int, between: int, hidden_size: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(size, between)
        self.linear2 = nn.Linear(between, hidden_size)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[clips, length, size] to [clips, length, hidden] and the lengths as they are."""
        return self.linear2(F.gelu(self.linear1(x))), lengths


class Sinusoids(nn.Module):
    """Positions that are in no checkpoint."""

    def __init__(self, positions: int, size: int) -> None:
        super().__init__()
        self.register_buffer("weight", sinusoids(positions, size), persistent=False)


def sinusoids(positions: int, channels: int) -> Tensor:
    """Whisper's positional embedding: first half of the channels sines, second half cosines. [positions, channels]"""
    half = channels // 2
    rates = torch.exp(-math.log(POSITION_PERIOD) / max(half - 1, 1) * torch.arange(half, dtype=torch.float32))
    angles = torch.arange(positions, dtype=torch.float32)[:, None] * rates[None, :]
    table = torch.zeros(positions, channels, dtype=torch.float32)
    table[:, :half] = angles.sin()
    table[:, half : 2 * half] = angles.cos()
    return table
