"""Log-mels of clips, computed once and kept while there is room."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from earwitness.audio import read_audio, silence
from earwitness.logmel import log_mel
from trainer.model.kept import Kept

CACHE_BYTES = 1 << 30
"""Most bytes of log-mels kept: 1 GiB is 5,600 clips of 4 s with 128 bins."""

SILENCE = "silence:"
"""Stands for the clip of the no-audio control; no URI that `earwitness.storage` accepts looks like it."""


class MelCache:
    """The log-mel `[n_mels, frames]` of a clip by URI. Safe between threads."""

    def __init__(self, n_mels: int) -> None:
        self._n_mels = n_mels
        self._mels: Kept[NDArray[np.float32]] = Kept(CACHE_BYTES)

    def __getitem__(self, uri: str) -> NDArray[np.float32]:
        """The clip's log-mel. Raises AudioError for a clip that cannot be read."""
        return self._mels.get(uri, lambda: log_mel(silence() if uri == SILENCE else read_audio(uri), self._n_mels))
