"""The key `messages` of a manifest: a question whose clips stand among its words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from earwitness import storage
from earwitness.errors import Problem, shown
from earwitness.hearing import MAX_CLIPS, pieces
from earwitness.wire.trajectory.v1 import trajectory_pb2

_EXPECTED = 'a list of {"type": "text", "text": ...} and {"type": "audio", "audio": ...}'
_KEYS = {"text": ("text",), "audio": ("audio", "audio_url", "path")}
"""By the type of a part, where its value stands: ours, and what chat templates' data sets call it."""
CONTROL = "control_audio"
"""Of a part that is a clip, where the clip without what decides stands."""


def read_messages(value: object, where: str) -> tuple[str, list[tuple[str, int, str]], list[Problem]]:
    """The question, its clips as (path, characters of the question before it, path of its control or ""), and what is
    wrong.

    value: what JSON gave; where: the path of the key, for problems.
    """
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], Mapping):
        said = f"{len(value)} messages" if isinstance(value, list) else shown(value)
        return "", [], [Problem(where, said, "a list of one message, the user's")]
    message = value[0]
    if message.get("role") != "user":
        return "", [], [Problem(f"{where}[0].role", shown(message.get("role")), '"user": a manifest holds questions')]
    content = message.get("content")
    if not isinstance(content, list):
        return "", [], [Problem(f"{where}[0].content", shown(content), _EXPECTED)]
    question, clips, problems = "", list[tuple[str, int, str]](), list[Problem]()
    for place, part in enumerate(content):
        here = f"{where}[0].content[{place}]"
        kind = part.get("type") if isinstance(part, Mapping) else None
        if not isinstance(part, Mapping) or kind not in _KEYS:
            problems.append(Problem(here, f"{shown(part)} is no part of a message", _EXPECTED))
            continue
        found = next((part[key] for key in _KEYS[kind] if key in part), None)
        if not isinstance(found, str) or not found:
            problems.append(Problem(f"{here}.{kind}", f"{shown(found)} is not text", "text"))
        elif kind == "text":
            question += found
        elif not isinstance(control := part.get(CONTROL) or "", str):
            problems.append(Problem(f"{here}.{CONTROL}", f"{shown(control)} is not text", "text"))
        else:
            clips.append((found, len(question), control))
    if len(clips) > MAX_CLIPS:
        problems.append(Problem(f"{where}[0].content", f"{len(clips)} clips", f"at most {MAX_CLIPS}"))
    if not problems and not question.strip():
        problems.append(Problem(f"{where}[0].content", "no words", "a question"))
    return question, clips, problems


def write_messages(prompt: trajectory_pb2.Prompt, named: Callable[[str], str]) -> list[dict[str, Any]]:
    """The value of `messages` that `read_messages` reads back; `named` gives a clip's URI as the manifest has it."""
    content: list[dict[str, str]] = []
    clips = iter(prompt.clips)
    for text, clip in pieces(prompt):
        if clip is None:
            content.append({"type": "text", "text": text})
            continue
        control = next(clips).control_uri
        content.append({"type": "audio", "audio": named(clip), **({CONTROL: named(control)} if control else {})})
    return [{"role": "user", "content": content}]


def scheme_problems(clips: Sequence[tuple[str, int, str]], where: str) -> Iterator[Problem]:
    """Clips in stores that jobs may not use."""
    for path in (path for clip, _, control in clips for path in (clip, control)):
        try:
            storage.check_scheme(path)
        except storage.StorageError as error:
            yield Problem(where, error.problem, error.expected)
