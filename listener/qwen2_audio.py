"""Qwen2-Audio's listener: Whisper's encoder, and one linear layer at its 25 Hz."""

from __future__ import annotations

from torch import Tensor, nn

from earwitness.families.dims import AudioDims
from listener.attention import Attend
from listener.whisper import Encoder


class Projector(nn.Module):
    """Projects to the decoder's width."""

    def __init__(self, size: int, hidden_size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, hidden_size)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[clips, length, size] to [clips, length, hidden] and the lengths as they are."""
        return self.linear(x), lengths


def build(dims: AudioDims, hidden_size: int, attend: Attend) -> tuple[nn.Module, nn.Module]:
    """Encoder and projector."""
    return Encoder(dims, attend), Projector(dims.size, hidden_size)
