"""Clips to listen to in the report: which, and their sound inside the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
import soundfile

from earwitness.audio import MEASURED_SECONDS, SAMPLE_RATE, read_audio
from earwitness.errors import InputError
from earwitness.hearing import clip_uris
from earwitness.jobs.report.html import esc
from earwitness.jobs.report.svg import waveform
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

CLIPS = 12
"""A dozen: enough to see every kind, few enough to listen to."""

LONGEST_SECONDS = 15.0
"""Longer clips are cut in the page, so that it stays below about ten megabytes."""

BETWEEN_SECONDS = 0.5
"""Silence between clips that are heard in one piece."""

BARS = 75
"""Of the drawn waveform."""


def choose(groups: Sequence[wire.Group], count: int = CLIPS) -> list[wire.Group]:
    """Groups in turns over the kinds, each kind from its first: outcomes play no part in the choice."""
    by_kind: dict[str, list[wire.Group]] = {}
    for group in sorted(groups, key=lambda g: g.task.ordinal):
        if clip_uris(group.task.prompt) and group.trajectories:
            by_kind.setdefault(group.task.prompt.kind, []).append(group)
    chosen: list[wire.Group] = []
    rank = 0
    while len(chosen) < count and any(len(of_kind) > rank for of_kind in by_kind.values()):
        chosen += [of_kind[rank] for of_kind in by_kind.values() if len(of_kind) > rank]
        rank += 1
    return chosen[:count]


def sound(uris: Sequence[str]) -> tuple[bytes, np.ndarray]:
    """The begin of each clip, with silence between them, as WAV, and the samples. Raises InputError."""
    most, silence = int(LONGEST_SECONDS * SAMPLE_RATE), np.zeros(int(BETWEEN_SECONDS * SAMPLE_RATE), np.float32)
    clips = [read_audio(uri, max_seconds=MEASURED_SECONDS)[:most] for uri in uris]
    samples = np.concatenate([part for clip in clips for part in (silence, clip)][1:])
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue(), samples


def players(prompt: wire.Prompt) -> str:
    """The prompt's clips as HTML, one below the other; those of several are numbered."""
    uris = clip_uris(prompt)
    if len(uris) < 2:
        return player(uris[0]) if uris else '<p class="quiet">text alone</p>'
    return "".join(f'<p class="quiet">clip {number}</p>{player(uri)}' for number, uri in enumerate(uris, start=1))


def player(audio_uri: str) -> str:
    """The clip as HTML: its waveform and an audio element that holds the sound. Says so if it cannot be read."""
    try:
        wave, samples = sound([audio_uri])
    except InputError as error:
        return f'<p class="quiet">the clip: {esc(error.problem)}</p>'
    data = base64.b64encode(wave).decode()
    peaks = [float(np.abs(part).max()) for part in np.array_split(samples, min(BARS, len(samples)))]
    return f'{waveform(peaks)}<audio controls preload="none" src="data:audio/wav;base64,{data}"></audio>'
