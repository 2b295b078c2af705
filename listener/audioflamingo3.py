"""Audio Flamingo 3's listener: Whisper's encoder, and two linear layers at its 25 Hz."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from earwitness.families.dims import AudioDims
from listener.attention import Attend
from listener.whisper import Encoder


class Projector(nn.Module):
    """Projects to the decoder's width, and once more."""

    def __init__(self, size: int, hidden_size: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(size, hidden_size)
        self.linear2 = nn.Linear(hidden_size, hidden_size)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[clips, length, size] to [clips, length, hidden] and the lengths as they are."""
        return self.linear2(F.gelu(self.linear1(x))), lengths


def build(dims: AudioDims, hidden_size: int, attend: Attend) -> tuple[nn.Module, nn.Module]:
    """Encoder and projector."""
    return Encoder(dims, attend), Projector(dims.size, hidden_size)
