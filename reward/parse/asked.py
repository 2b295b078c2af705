"""What the question of a trace is about: an answer need not say it again."""

from __future__ import annotations

import re
from dataclasses import dataclass

from earwitness.hearing import clip_uris
from earwitness.wire.trajectory.v1 import trajectory_pb2

MAX_QUESTION_CHARS = 2_000
_KINDS = r"(?:clips|segments|recordings|excerpts|parts|audios|one|stimulus|part|segment|clip)"
_CLIPS = re.compile(rf"\b{_KINDS}\b")
_TWO = re.compile(r"\b(?:two|both)(?: \w{1,12})? (?:clips|segments|recordings|excerpts|parts|audios|samples|sounds)\b")
_RHYTHM = re.compile(r"\b(?:tempo|rhythm|bpm|pace|beat)\b")
_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
_LENGTH = re.compile(r"\b(?:how long|longer|shorter|duration|lasts?)\b")


@dataclass(frozen=True)
class Asked:
    """How a question bears on what is said in answer to it."""

    two_clips: bool = False
    """It is about two clips, one after the other: what is said goes on about the one named last."""
    apart: bool = False
    """Each clip is a recording of its own."""
    rhythm: bool = False
    """It is about tempo or rhythm: "it is fast" is of that."""
    length: bool = False
    """It is about how long something is: "it is 2 seconds" is of that."""
    numbers: frozenset[float] = frozenset()
    """Those in it: limits of what is asked."""


NOTHING_ASKED = Asked()


def asked_by(prompt: trajectory_pb2.Prompt) -> Asked:
    """What the question of `prompt` is about."""
    question, apart = prompt.question, len(clip_uris(prompt)) > 1
    text = question[:MAX_QUESTION_CHARS].lower()
    return Asked(
        two_clips=apart or _TWO.search(text) is not None or ("first" in text and _CLIPS.search(text) is not None),
        apart=apart,
        rhythm=_RHYTHM.search(text) is not None,
        length=_LENGTH.search(text) is not None,
        numbers=frozenset(map(float, _NUMBER.findall(text))),
    )
