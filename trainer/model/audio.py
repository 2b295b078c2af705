"""The trainer's listener: what a frozen encoder makes of a clip is kept."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from earwitness.families.architecture import Architecture
from listener.build import build_listener
from trainer.model.attention import attend
from trainer.model.encodings import ENCODINGS


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
    """Encoder and adaptor, whole on every tensor-parallel rank, with the attention that the decoder has on the CPU."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.encoder, self.adapter = build_listener(architecture, attend)

    def forward(self, audio: AudioBatch) -> tuple[Tensor, Tensor]:
        """Returns embeddings [clips, max_tokens, hidden] and the number of tokens of each clip [clips]."""
        if audio.digests and not any(parameter.requires_grad for parameter in self.encoder.parameters()):
            return self.adapter(*ENCODINGS.of(self.encoder, audio.digests, audio.mels, audio.frames))
        return self.adapter(*self.encoder(audio.mels, audio.frames))
