"""A clip, and what is heard in it, as they travel."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np

from earwitness.audio import MEASURED_SECONDS, SAMPLE_RATE, content_hash
from earwitness.errors import InputError
from earwitness.wire.recogniser.v1 import recogniser_pb2 as wire
from reward.recognise.track import Samples, Threshold, Track

FULL = 32_767
"""The largest sample of 16 bits."""
LONGEST_BYTES = round(MEASURED_SECONDS * SAMPLE_RATE) * 2
"""Of the samples of a clip that can be measured."""


def sound_of(samples: Samples) -> wire.Sound:
    """In 16 bits below its own peak: half the bytes, and what is lost lies 96 dB down."""
    peak = np.float32(max(float(np.abs(samples).max(initial=0.0)), float(np.finfo(np.float32).tiny)))
    return wire.Sound(pcm=np.round(samples / peak * FULL).astype("<i2").tobytes(), peak=float(peak))


def samples_of(sound: wire.Sound) -> Samples:
    """Raises InputError for what no clip is."""
    if not 0 < len(sound.pcm) <= LONGEST_BYTES or len(sound.pcm) % 2:
        expected = f"an even number, at most {LONGEST_BYTES:,}"
        raise InputError("sound.pcm", f"{len(sound.pcm):,} bytes", expected)
    if not 0 < sound.peak < np.inf:
        raise InputError("sound.peak", f"is {sound.peak}", "above 0")
    return np.frombuffer(sound.pcm, dtype="<i2").astype(np.float32) * np.float32(sound.peak / FULL)


def content_of(sound: wire.Sound) -> str:
    """The key under which what is heard in it is kept."""
    return content_hash(struct.pack("<f", sound.peak) + sound.pcm)


def tracks_in(response: wire.RecogniseResponse) -> dict[str, Track]:
    """The tracks of a response by their labels."""
    return {
        one.label: Track(
            one.step_seconds,
            np.array(one.scores, dtype=np.float32),
            Threshold(there=one.there, gone=one.gone),
            one.shortest_seconds,
            one.reach_seconds,
        )
        for one in response.tracks
    }


def with_tracks(tracks: Mapping[str, Track]) -> wire.RecogniseResponse:
    """A response that holds them."""
    return wire.RecogniseResponse(
        tracks=[
            wire.Track(
                label=label,
                step_seconds=track.step,
                scores=track.scores.tolist(),
                there=track.threshold.there,
                gone=track.threshold.gone,
                shortest_seconds=track.shortest,
                reach_seconds=track.reach,
            )
            for label, track in tracks.items()
        ]
    )
