"""Measurements by content: the samples of a group, and the groups of every epoch, cost one measurement."""

from __future__ import annotations

import threading
from collections import OrderedDict

from earwitness.audio import MEASURED_SECONDS, content_hash, decode_audio, read_clip
from reward.measure.clip import measure
from reward.measure.facts import Measurement
from reward.measure.stereo import measure_balance

MAX_CLIPS = 4096
"""Clips kept: a measurement of a 2 s clip holds about 20 kB, so 80 MB."""

_kept: OrderedDict[str, Measurement] = OrderedDict()
_lock = threading.Lock()


def measure_uri(uri: str) -> Measurement:
    """The measurement of the clip at `uri`. Raises AudioError if it cannot be read; a failure is not kept."""
    data = read_clip(uri)
    key = content_hash(data)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    measurement = measure(decode_audio(data, uri, max_seconds=MEASURED_SECONDS), measure_balance(data))
    with _lock:
        _kept[key] = measurement
        while len(_kept) > MAX_CLIPS:
            _kept.popitem(last=False)
    return measurement
