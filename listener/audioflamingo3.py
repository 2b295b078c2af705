"""Audio Flamingo 3's listener: Whisper's encoder, and two linear layers at its 25 Hz."""

from __future__ import annotations

from torch import nn

from earwitness.families.dims import AudioDims
from listener.attention import Attend
from listener.whisper import Encoder, TwoLayerProjector


def build(dims: AudioDims, hidden_size: int, attend: Attend) -> tuple[nn.Module, nn.Module]:
    """Encoder and projector."""
    return Encoder(dims, attend), TwoLayerProjector(dims.size, hidden_size, hidden_size)
