"""What the process beside the server does: measures clips, and checks claims against what it measured.

Its functions take and give what crosses processes cheaply: bytes, texts, plain values.
"""

from __future__ import annotations

import base64
import math
from collections import OrderedDict
from typing import Any

import numpy as np

from earwitness.audio import content_hash, decode_audio
from earwitness.logmel import log_mel
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.extent import extent
from reward.grounding import check_claims
from reward.measure import Contour, Measurement, measure
from reward.measure.stereo import measure_balance
from reward.several import clip_meant
from reward.surrogate import denial_phrase, surrogate_phrase

MAX_CLIPS = 256
"""Measurements kept: more than there are answers at a time."""
MEL_BANDS = 64
"""Rows of the picture: enough to see harmonics of a voice."""
MAX_COLUMNS = 1_500
"""Columns, and points of a line: a page is no wider."""
VERDICTS = {
    trajectory_pb2.VERDICT_SUPPORTED: "supported",
    trajectory_pb2.VERDICT_CONTRADICTED: "contradicted",
    trajectory_pb2.VERDICT_NOT_CHECKABLE: "not_checkable",
}

_heard: OrderedDict[str, Measurement] = OrderedDict()


def hear(key: str, data: bytes) -> None:
    """Measures the clip of the audio file `data` and keeps that under `key`. About 10 ms for each second of sound."""
    if key not in _heard:
        _heard[key] = measure(decode_audio(data, key), measure_balance(data))
    _heard.move_to_end(key)
    while len(_heard) > MAX_CLIPS:
        _heard.popitem(last=False)


def check(keys: list[str], reasoning: str, question: str) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Each claim of `reasoning` with its verdict, in the order in which they are made; and what else it says of the
    sound, with why that was not read.

    Raises LookupError for a clip that is not (or no longer) kept.

    `start` and `end` are the characters of `reasoning` that it was read from, `from_seconds` and `to_seconds` the part
    of the clip that it speaks of, `clip` which that is of several: their number from 1, 0 where it is not said.
    """
    clips = [_heard[key] for key in keys]
    placed = [trajectory_pb2.PlacedClip()] * (len(clips) if len(clips) > 1 else 0)
    grounding = check_claims(reasoning, trajectory_pb2.Prompt(question=question, clips=placed), clips)
    found = []
    place = 0
    for index, (claim, message) in enumerate(zip(grounding.distinct, grounding.claims, strict=True)):
        start = reasoning.find(message.text, place)
        if start < 0:  # several claims of one sentence may stand in any order
            start = max(0, reasoning.find(message.text))
        place = start
        number = clip_meant(claim.statement, len(clips))
        measurement = clips[max(number, 1) - 1]
        begins, ends = extent(claim.statement, measurement) if len(clips) == 1 else (0.0, measurement.duration)
        found.append({
            "index": index, "text": message.text, "kind": message.kind, "verdict": VERDICTS[message.verdict],
            "claimed": message.claimed, "measured": message.measured, "start": start, "end": start + len(message.text),
            "from_seconds": round(begins, 3), "to_seconds": round(min(ends, measurement.duration), 3),
            "clip": number,
        })  # fmt: skip
    return found, [{"text": unread.text, "why": unread.why} for unread in grounding.unread]


def draw(data: bytes) -> dict[str, Any]:
    """What a page draws of the audio file `data`: what was measured, and the log-mel spectrogram that models hear, a
    byte a cell, in base64, from the lowest band up, each band from first to last."""
    samples = decode_audio(data, "data")
    key = content_hash(data)
    hear(key, data)
    measured = _heard[key]
    mel = log_mel(samples, MEL_BANDS)
    mel = mel[:, :: max(1, mel.shape[1] // MAX_COLUMNS)]
    low, high = float(mel.min()), float(mel.max())
    cells = np.round(255 * (mel - low) / max(high - low, 1e-6)).astype(np.uint8)
    return {
        "seconds": measured.duration,
        "events": [
            {"start": event.start, "end": event.end, "level": event.level, "pitch": event.pitch, "wave": event.wave}
            for event in measured.events
        ],
        "pitch": _points(measured.pitch),
        "level": _points(measured.level),
        "mel": {"bands": MEL_BANDS, "columns": cells.shape[1], "cells": base64.b64encode(cells.tobytes()).decode()},
    }


def _points(contour: Contour) -> list[tuple[float, float]]:
    """Times and values, those that there are."""
    every = max(1, len(contour.times) // MAX_COLUMNS)
    pairs = zip(contour.times[::every].tolist(), contour.values[::every].tolist(), strict=True)
    return [(round(time, 4), round(value, 2)) for time, value in pairs if math.isfinite(value)]


def phrases(reasoning: str) -> dict[str, str]:
    """The words by which a reasoning denies that there is a clip, or guesses from the question; empty: none."""
    return {"denies": denial_phrase(reasoning), "guesses": surrogate_phrase(reasoning)}


CALLS = {"hear": hear, "draw": draw, "check": check, "phrases": phrases}
"""What may be asked of the process."""
