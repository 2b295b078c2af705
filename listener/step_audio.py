"""Step-Audio's listener: Whisper's encoder, and an adaptor that halves its rate to 12.5 Hz."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from earwitness.families.dims import KERNEL, STRIDE, AudioDims
from listener.attention import Attend
from listener.lengths import within
from listener.whisper import Encoder


class Adapter(nn.Module):
    """Halves the rate and projects to the decoder's width."""

    def __init__(self, size: int, adapter_size: int, hidden_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(size, size, KERNEL, stride=STRIDE, padding=1)
        self.linear1 = nn.Linear(size, adapter_size)
        self.linear2 = nn.Linear(adapter_size, hidden_size)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[clips, length, size] to [clips, (length - 1) // 2 + 1, hidden] and the lengths."""
        keep = within(lengths, x.shape[1])
        x = (x if keep is None else x * keep[:, :, None]).transpose(1, 2)
        x = F.gelu(self.conv(x)).transpose(1, 2)
        return self.linear2(F.relu(self.linear1(x))), (lengths - 1) // STRIDE + 1


def build(dims: AudioDims, hidden_size: int, attend: Attend) -> tuple[nn.Module, nn.Module]:
    """Encoder and adaptor."""
    assert dims.adapter_size is not None, "the adaptor has two linear layers"
    return Encoder(dims, attend), Adapter(dims.size, dims.adapter_size, hidden_size)
