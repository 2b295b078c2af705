"""The listener: Whisper-style encoder and adaptor in plain torch, replicated on every tensor-parallel rank.

Clips of different length share a batch; masks keep each clip's output equal to running it alone. Modules are named as
Step-Audio's weights are; `earwitness.families` knows what Qwen2-Audio calls them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earwitness.families.dims import KERNEL, AudioDims
from trainer.model.attention import attend
from trainer.model.encodings import ENCODINGS

NORM_EPS = 1e-5
"""torch's default, which Whisper uses."""


@dataclass(frozen=True)
class AudioBatch:
    """Distinct clips."""

    mels: Tensor
    """Log-mels, [clips, n_mels, max_frames] float32; what lies beyond a clip's frames is ignored."""
    frames: Tensor
    """Mel frames of each clip as `earwitness.logmel` gives them, trailing ones among them, [clips] int64."""
    digests: tuple[bytes, ...] = ()
    """xxh3-128 of each clip's log-mel; none: what a frozen encoder makes of the clips is not kept."""


class AudioTower(nn.Module):
    """Encoder and adaptor: log-mels to embeddings of the decoder's width, 12.5 a second (Qwen2-Audio: 25)."""

    def __init__(self, dims: AudioDims, hidden_size: int) -> None:
        super().__init__()
        self.encoder = Encoder(dims)
        self.adapter: Adapter | Projector
        if dims.adapter_size is None:
            self.adapter = Projector(dims.size, hidden_size)
        else:
            self.adapter = Adapter(dims.size, dims.adapter_size, hidden_size)

    def forward(self, audio: AudioBatch) -> tuple[Tensor, Tensor]:
        """Returns embeddings [clips, max_tokens, hidden] and the number of tokens of each clip [clips]."""
        if audio.digests and not any(parameter.requires_grad for parameter in self.encoder.parameters()):
            return self.adapter(*ENCODINGS.of(self.encoder, audio.digests, audio.mels, audio.frames))
        return self.adapter(*self.encoder(audio.mels, audio.frames))


class Encoder(nn.Module):
    """Two convolutions, positions, pre-norm blocks, pooling by two: 100 mel frames/s to 25 Hz."""

    def __init__(self, dims: AudioDims) -> None:
        super().__init__()
        self.dims = dims
        self.conv1 = nn.Conv1d(dims.n_mels, dims.size, KERNEL, padding=1)
        self.conv2 = nn.Conv1d(dims.size, dims.size, KERNEL, stride=2, padding=1)
        self.positional_embedding = nn.Embedding(dims.positions, dims.size)
        self.positional_embedding.requires_grad_(dims.learned_positions)
        self.blocks = nn.ModuleList(Block(dims.size, dims.heads, dims.mlp_size) for _ in range(dims.layers))
        self.avg_pooler = nn.AvgPool1d(2, stride=2)
        self.after_norm = nn.LayerNorm(dims.size, eps=NORM_EPS)

    def forward(self, mels: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """[clips, n_mels, frames] to [clips, counted frames // 4, size] and the lengths [clips].

        Counted are all frames but a clip's trailing ones, which only the convolutions see.
        """
        counted = frames - self.dims.trailing_frames
        limit = 2 * self.positional_embedding.num_embeddings
        if int(counted.max()) > limit:
            raise ValueError(f"a clip of {int(counted.max())} mel frames is longer than the encoder's {limit}")
        longest = min(int(frames.max()), limit)
        keep = _within(frames, longest)
        x = mels[:, :, :longest].to(self.conv1.weight.dtype)
        # A convolution at a clip's end must see zeros, as its padding would be, not what batching put there.
        x = F.gelu(self.conv1(x * keep[:, None]) if keep is not None else self.conv1(x))
        x = F.gelu(self.conv2(x * keep[:, None] if keep is not None else x)).transpose(1, 2)
        lengths = (counted + 1) // 2
        half = int(lengths.max())
        x = x[:, :half] + self.positional_embedding.weight[:half]
        keys = _within(lengths, half)
        for block in self.blocks:
            x = block(x, keys)
        x = self.avg_pooler(x.transpose(1, 2)).transpose(1, 2)
        return self.after_norm(x), lengths // 2


class Block(nn.Module):
    """Attention and MLP, each on the normalised residual."""

    def __init__(self, size: int, heads: int, mlp_size: int) -> None:
        super().__init__()
        self.attn = Attention(size, heads)
        self.attn_ln = nn.LayerNorm(size, eps=NORM_EPS)
        self.mlp = nn.Sequential(nn.Linear(size, mlp_size), nn.GELU(), nn.Linear(mlp_size, size))
        self.mlp_ln = nn.LayerNorm(size, eps=NORM_EPS)

    def forward(self, x: Tensor, keys: Tensor | None) -> Tensor:
        """[clips, length, size] to the same; `keys` [clips, length] says which positions may be attended to."""
        x = x + self.attn(self.attn_ln(x), keys)
        return x + self.mlp(self.mlp_ln(x))


class Attention(nn.Module):
    """Bidirectional multi-head attention; the key projection has no bias, as in Whisper."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size, bias=False)
        self.value = nn.Linear(size, size)
        self.out = nn.Linear(size, size)

    def forward(self, x: Tensor, keys: Tensor | None) -> Tensor:
        """[clips, length, size] to the same."""
        clips, length, size = x.shape
        query, key, value = (
            project(x).view(clips, length, self.heads, -1).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        mixed = attend(query, key, value, keys=keys)
        return self.out(mixed.transpose(1, 2).reshape(clips, length, size))


class Adapter(nn.Module):
    """Step-Audio's: halves the rate to 12.5 Hz and projects to the decoder's width."""

    def __init__(self, size: int, adapter_size: int, hidden_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(size, size, KERNEL, stride=2, padding=1)
        self.linear1 = nn.Linear(size, adapter_size)
        self.linear2 = nn.Linear(adapter_size, hidden_size)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[clips, length, size] to [clips, (length - 1) // 2 + 1, hidden] and the lengths."""
        keep = _within(lengths, x.shape[1])
        x = (x if keep is None else x * keep[:, :, None]).transpose(1, 2)
        x = F.gelu(self.conv(x)).transpose(1, 2)
        return self.linear2(F.relu(self.linear1(x))), (lengths - 1) // 2 + 1


class Projector(nn.Module):
    """Qwen2-Audio's: projects to the decoder's width at the encoder's 25 Hz."""

    def __init__(self, size: int, hidden_size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, hidden_size)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[clips, length, size] to [clips, length, hidden] and the lengths as they are."""
        return self.linear(x), lengths


def _within(lengths: Tensor, longest: int) -> Tensor | None:
    """Which positions lie inside each clip, [clips, longest] of the lengths' device; None if all do."""
    if bool((lengths == longest).all()):
        return None
    return torch.arange(longest, device=lengths.device)[None, :] < lengths[:, None]
