"""What a frozen encoder makes of a clip: computed once, by each rank that meets the clip, and kept.

A clip is encoded alone, so that its encoding does not depend on its neighbours: whatever the layout, the order of the
data or a restart, all updates see the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

import torch
import xxhash
from torch import Tensor, nn

from trainer.model.kept import Kept

CACHE_BYTES = 1 << 30
"""Most bytes of host memory for encodings: 1 GiB is 560 clips of 30 s at Step-Audio-R1's size in bfloat16."""


class Encodings:
    """By weights and log-mel, so that policy, critic and the phases of a job share them. One thread at a time."""

    def __init__(self) -> None:
        self._kept: Kept[Tensor] = Kept(CACHE_BYTES)
        self._digests: WeakKeyDictionary[nn.Module, tuple[list[tuple[int, int]], bytes]] = WeakKeyDictionary()

    def of(self, encoder: nn.Module, digests: Sequence[bytes], mels: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """What `encoder(mels, frames)` gives: [clips, longest, size], 0 beyond a clip, and the lengths [clips].

        digests: of each clip's log-mel.
        """
        weights = self._weights(encoder)

        def alone(clip: int) -> Callable[[], Tensor]:
            return lambda: encoder(mels[clip : clip + 1], frames[clip : clip + 1])[0][0].detach().cpu()

        found = [self._kept.get((weights, digest), alone(clip)) for clip, digest in enumerate(digests)]
        together = nn.utils.rnn.pad_sequence(found, batch_first=True).to(mels.device)
        return together, torch.tensor([len(encoded) for encoded in found], device=mels.device)

    def _weights(self, encoder: nn.Module) -> bytes:
        """A digest of the encoder's dimensions and weights, made again if they were written to."""
        writes = [(parameter.data_ptr(), parameter._version) for parameter in encoder.parameters()]
        known = self._digests.get(encoder)
        if known is None or known[0] != writes:
            hashed = xxhash.xxh3_128(repr(encoder.dims).encode())
            for parameter in encoder.parameters():
                hashed.update(parameter.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
            known = self._digests[encoder] = writes, hashed.digest()
        return known[1]


ENCODINGS = Encodings()
"""This process's."""
