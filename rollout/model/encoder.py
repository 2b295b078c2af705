"""The audio tower: Whisper-style encoder at 25 Hz, and the adaptor that brings it to 12.5 Hz and the decoder's width.

Module names follow the Hugging Face checkpoint (`encoder.*`, `adapter.*`), so its weights load as they are.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from earwitness.logmel import audio_tokens

MLP_RATIO = 4
"""Width of a block's MLP over its own, as in Whisper."""
DEFAULT_ADAPTER_SIZE = 2048
"""Width between the adaptor's linear layers in the published checkpoints, whose config does not name it."""


def embed_clips(encoder: AudioEncoder, adapter: Adapter, mels: list[Tensor]) -> list[Tensor]:
    """Embeds mels `[n_mels, frames]` of any lengths; gives `[audio_tokens(frames), hidden]` each.

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
    hidden = adapter(hidden, lengths)
    return [row[: audio_tokens(count)] for row, count in zip(hidden, frames, strict=True)]


class AudioEncoder(nn.Module):
    """`[clips, n_mels, frames]` at 100 Hz to `[clips, frames // 4, size]` at 25 Hz."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        size = config["n_audio_state"]
        self.conv1 = nn.Conv1d(config["n_mels"], size, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(size, size, kernel_size=3, stride=2, padding=1)
        self.positional_embedding = nn.Embedding(config["n_audio_ctx"], size)
        self.blocks = nn.ModuleList(Block(size, config["n_audio_head"]) for _ in range(config["n_audio_layer"]))
        self.after_norm = nn.LayerNorm(size)

    def forward(self, mels: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden states and the number of valid ones of each clip, `[clips]`."""
        hidden = F.gelu(self.conv1(mels)) * valid(lengths, mels.shape[-1])[:, None, :]
        hidden = F.gelu(self.conv2(hidden)).transpose(1, 2)
        lengths = (lengths + 1) // 2
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

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.attn = Attention(size, heads)
        self.attn_ln = nn.LayerNorm(size)
        self.mlp = nn.Sequential(nn.Linear(size, MLP_RATIO * size), nn.GELU(), nn.Linear(MLP_RATIO * size, size))
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
    """25 Hz to 12.5 Hz, encoder width to decoder width."""

    def __init__(self, config: dict[str, Any], hidden_size: int) -> None:
        super().__init__()
        size, inner = config["n_audio_state"], config.get("adapter_size", DEFAULT_ADAPTER_SIZE)
        stride = config["adapter_stride"]
        self.conv = nn.Conv1d(size, size, kernel_size=config["kernel_size"], stride=stride, padding=1)
        self.linear1 = nn.Linear(size, inner)
        self.linear2 = nn.Linear(inner, hidden_size)

    def forward(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """`[clips, time, size]` to `[clips, (time - 1) // 2 + 1, hidden_size]`."""
        hidden = hidden * valid(lengths, hidden.shape[1])[:, :, None]
        hidden = F.gelu(self.conv(hidden.transpose(1, 2))).transpose(1, 2)
        return self.linear2(F.relu(self.linear1(hidden)))


def valid(lengths: Tensor, size: int) -> Tensor:
    """`[clips, size]`, true at the first `lengths` positions of each row."""
    return torch.arange(size, device=lengths.device)[None, :] < lengths[:, None]
