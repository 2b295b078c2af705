"""Log-mels of clips, segment by segment, computed once and kept while there is room."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from earwitness.audio import silence
from earwitness.families.family import Family
from earwitness.hearing import Cut, clip_uris, mel, read_segments
from earwitness.wire.trajectory.v1 import trajectory_pb2
from trainer.model.kept import Kept

CACHE_BYTES = 1 << 30
"""Most bytes of log-mels kept: 1 GiB is 5,600 clips of 4 s with 128 bins."""

SILENCE = "silence:"
"""Stands for the clip of the no-audio control; no URI that `earwitness.storage` accepts looks like it."""


class Segments(tuple[NDArray[np.float32], ...]):
    """Log-mels of a clip's segments, in order."""

    __slots__ = ()

    @property
    def nbytes(self) -> int:
        """Bytes of all."""
        return sum(mel.nbytes for mel in self)


class MelCache:
    """The log-mels `[n_mels, frames]` of a clip's segments by URI. Safe between threads."""

    def __init__(self, n_mels: int, family: Family, way: Cut | None = None) -> None:
        """`way`: how clips are cut into segments, in place of the family's own."""
        self._n_mels, self._family, self._way = n_mels, family, way
        self._mels: Kept[Segments] = Kept(CACHE_BYTES)

    def __getitem__(self, uri: str) -> Segments:
        """The clip's log-mels. Raises AudioError for a clip that cannot be read, or is longer than the models hear."""
        return self._mels.get(uri, lambda: self._made(uri))

    def _made(self, uri: str) -> Segments:
        segments = [silence()] if uri == SILENCE else read_segments(uri, self._family, self._way)
        return Segments(mel(segment, self._n_mels, self._family) for segment in segments)


def clips_of(task: trajectory_pb2.GroupTask) -> tuple[str, ...]:
    """What the samples of a task hear, by URI: for the no-audio control silence in place of each clip."""
    uris = clip_uris(task.prompt)
    return (SILENCE,) * len(uris) if task.without_audio else uris
