"""Clips to listen to in the report: which, and their sound inside the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
import soundfile

from earwitness.audio import MEASURED_SECONDS, SAMPLE_RATE, read_audio
from earwitness.errors import InputError
from earwitness.jobs.report.html import esc
from earwitness.jobs.report.svg import waveform
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

CLIPS = 12
"""A dozen: enough to see every kind, few enough to listen to."""

LONGEST_SECONDS = 15.0
"""Longer clips are cut in the page, so that it stays below about ten megabytes."""

BARS = 75
"""Of the drawn waveform."""


def choose(groups: Sequence[wire.Group], count: int = CLIPS) -> list[wire.Group]:
    """Groups in turns over the kinds, each kind from its first: outcomes play no part in the choice."""
    by_kind: dict[str, list[wire.Group]] = {}
    for group in sorted(groups, key=lambda g: g.task.ordinal):
        if group.task.prompt.audio_uri and group.trajectories:
            by_kind.setdefault(group.task.prompt.kind, []).append(group)
    chosen: list[wire.Group] = []
    rank = 0
    while len(chosen) < count and any(len(of_kind) > rank for of_kind in by_kind.values()):
        chosen += [of_kind[rank] for of_kind in by_kind.values() if len(of_kind) > rank]
        rank += 1
    return chosen[:count]


def sound(audio_uri: str) -> tuple[bytes, np.ndarray]:
    """The begin of a clip as WAV, and its samples. Raises InputError."""
    samples = read_audio(audio_uri, max_seconds=MEASURED_SECONDS)[: int(LONGEST_SECONDS * SAMPLE_RATE)]
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue(), samples


def player(audio_uri: str) -> str:
    """The clip as HTML: its waveform and an audio element that holds the sound. Says so if it cannot be read."""
    if not audio_uri:
        return '<p class="quiet">text alone</p>'
    try:
        wave, samples = sound(audio_uri)
    except InputError as error:
        return f'<p class="quiet">the clip: {esc(error.problem)}</p>'
    data = base64.b64encode(wave).decode()
    peaks = [float(np.abs(part).max()) for part in np.array_split(samples, min(BARS, len(samples)))]
    return f'{waveform(peaks)}<audio controls preload="none" src="data:audio/wav;base64,{data}"></audio>'
