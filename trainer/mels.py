"""Log-mels of clips, computed once and kept while there is room."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from earwitness.audio import read_audio, silence
from earwitness.logmel import log_mel

CACHE_BYTES = 1 << 30
"""Most bytes of log-mels kept: 1 GiB is 5,600 clips of 4 s with 128 bins."""

SILENCE = "silence:"
"""Stands for the clip of the no-audio control; no URI that `earwitness.storage` accepts looks like it."""


class MelCache:
    """The log-mel `[n_mels, frames]` of a clip by URI; least recently used ones go first. Safe between threads."""

    def __init__(self, n_mels: int, max_bytes: int = CACHE_BYTES) -> None:
        self._n_mels = n_mels
        self._room = max_bytes
        self._mels: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._lock = threading.Lock()

    def __getitem__(self, uri: str) -> NDArray[np.float32]:
        """The clip's log-mel. Raises AudioError for a clip that cannot be read."""
        with self._lock:
            if uri in self._mels:
                self._mels.move_to_end(uri)
                return self._mels[uri]
        mel = log_mel(silence() if uri == SILENCE else read_audio(uri), self._n_mels)
        with self._lock:
            if uri not in self._mels:
                self._mels[uri] = mel
                self._room -= mel.nbytes
            while self._room < 0 and len(self._mels) > 1:
                self._room += self._mels.popitem(last=False)[1].nbytes
        return mel
