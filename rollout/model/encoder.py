"""The audio tower: Whisper-style encoder at 25 Hz, and the adaptor that brings it to the decoder's width.

Modules are named as Step-Audio's weights are (`encoder.*`, `adapter.*`); `earwitness.families` knows others.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earwitness.families.dims import KERNEL, AudioDims


def embed_clips(encoder: AudioEncoder, adapter: Adapter | Projector, mels: list[Tensor]) -> list[Tensor]:
    """Embeds mels `[n_mels, frames]` of any lengths; gives `[audio tokens, hidden]` each.

    Clips are padded to one batch and masked after every step that leaks across time, so that a clip's embedding
    does not depend on its neighbours.
    """
    device, dtype = encoder.conv1.weight.device, encoder.conv1.weight.dtype
    frames = [mel.shape[-1] for mel in mels]
    batch = torch.zeros(len(mels), mels[0].shape[0], max(frames), device=device, dtype=dtype)
    for row, mel in zip(batch, mels, strict=True):
        row[:, : mel.shape[-1]] = mel.to(device=device, dtype=dtype)
    lengths = torch.tensor(frames, device=device)
    hidden, lengths = encoder(batch, lengths)
    hidden, lengths = adapter(hidden, lengths)
    return [row[:count] for row, count in zip(hidden, lengths.tolist(), strict=True)]


def adapter_of(dims: AudioDims, hidden_size: int) -> Adapter | Projector:
    """What follows the encoder in the model's family."""
    if dims.adapter_size is None:
        return Projector(dims.size, hidden_size)
    return Adapter(dims.size, dims.adapter_size, hidden_size)


class AudioEncoder(nn.Module):
    """`[clips, n_mels, frames]` at 100 Hz to `[clips, counted frames // 4, size]` at 25 Hz."""

    def __init__(self, dims: AudioDims) -> None:
        super().__init__()
        size = dims.size
        self.trailing = dims.trailing_frames
        self.conv1 = nn.Conv1d(dims.n_mels, size, kernel_size=KERNEL, padding=1)
        self.conv2 = nn.Conv1d(size, size, kernel_size=KERNEL, stride=2, padding=1)
        self.positional_embedding = nn.Embedding(dims.positions, size)
        self.blocks = nn.ModuleList(Block(size, dims.heads, dims.mlp_size) for _ in range(dims.layers))
        self.after_norm = nn.LayerNorm(size)

    def forward(self, mels: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden states and the number of valid ones of each clip, `[clips]`.

        A clip's trailing frames are seen by the convolutions, but do not count.
        """
        mels = mels[:, :, : 2 * self.positional_embedding.num_embeddings]
        hidden = F.gelu(self.conv1(mels)) * valid(frames, mels.shape[-1])[:, None, :]
        lengths = (frames - self.trailing + 1) // 2
        hidden = F.gelu(self.conv2(hidden)).transpose(1, 2)[:, : int(lengths.max())]
        positions = torch.arange(hidden.shape[1], device=hidden.device)
        hidden = hidden + self.positional_embedding(positions)
        # [clips, 1, 1, keys]: padding is never attended to
        mask = valid(lengths, hidden.shape[1])[:, None, None, :]
        for block in self.blocks:
            hidden = block(hidden, mask)
        hidden = F.avg_pool1d(hidden.transpose(1, 2), kernel_size=2, stride=2).transpose(1, 2)
        return self.after_norm(hidden), lengths // 2


class Block(nn.Module):
    """One pre-norm transformer block."""

    def __init__(self, size: int, heads: int, mlp_size: int) -> None:
        super().__init__()
        self.attn = Attention(size, heads)
        self.attn_ln = nn.LayerNorm(size)
        self.mlp = nn.Sequential(nn.Linear(size, mlp_size), nn.GELU(), nn.Linear(mlp_size, size))
        self.mlp_ln = nn.LayerNorm(size)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """`[clips, time, size]`; `mask` is true where a key may be seen."""
        hidden = hidden + self.attn(self.attn_ln(hidden), mask)
        return hidden + self.mlp(self.mlp_ln(hidden))


class Attention(nn.Module):
    """Bidirectional attention; the key projection has no bias, as in Whisper."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size, bias=False)
        self.value = nn.Linear(size, size)
        self.out = nn.Linear(size, size)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """`[clips, time, size]` to the same shape."""
        query, key, value = (
            project(hidden).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Adapter(nn.Module):
    """Step-Audio's: 25 Hz to 12.5 Hz, encoder width to decoder width."""

    def __init__(self, size: int, adapter_size: int, hidden_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(size, size, kernel_size=KERNEL, stride=2, padding=1)
        self.linear1 = nn.Linear(size, adapter_size)
        self.linear2 = nn.Linear(adapter_size, hidden_size)

    def forward(self, hidden: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """`[clips, time, size]` to `[clips, (time - 1) // 2 + 1, hidden_size]` and the lengths."""
        hidden = hidden * valid(lengths, hidden.shape[1])[:, :, None]
        hidden = F.gelu(self.conv(hidden.transpose(1, 2))).transpose(1, 2)
        return self.linear2(F.relu(self.linear1(hidden))), (lengths - 1) // 2 + 1


class Projector(nn.Module):
    """Qwen2-Audio's: encoder width to decoder width at 25 Hz."""

    def __init__(self, size: int, hidden_size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, hidden_size)

    def forward(self, hidden: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """`[clips, time, size]` to `[clips, time, hidden_size]` and the lengths as they are."""
        return self.linear(hidden), lengths


def valid(lengths: Tensor, size: int) -> Tensor:
    """`[clips, size]`, true at the first `lengths` positions of each row."""
    return torch.arange(size, device=lengths.device)[None, :] < lengths[:, None]
