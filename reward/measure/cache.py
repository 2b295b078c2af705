"""Measurements by content: the samples of a group, and the groups of every epoch, cost one measurement."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace

from earwitness.audio import MEASURED_SECONDS, content_hash, decode_audio, read_clip
from reward.measure.clip import measure
from reward.measure.facts import Measurement, Samples
from reward.measure.stereo import measure_balance
from reward.recognise.heard import Listening

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

    def samples(of: bytes) -> Samples:
        return decode_audio(of, uri, max_seconds=MEASURED_SECONDS)

    measurement = measure(samples(data), measure_balance(data))
    # The samples are not kept: a recogniser that is asked has the clip read again.
    measurement = replace(measurement, heard=Listening(lambda: samples(read_clip(uri))))
    with _lock:
        _kept[key] = measurement
        while len(_kept) > MAX_CLIPS:
            _kept.popitem(last=False)
    return measurement
