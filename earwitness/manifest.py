"""Manifests: one JSON object a line, each a question about clips. `docs/manifest.md` describes every key."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from earwitness import storage
from earwitness.chat import LETTERS
from earwitness.errors import DocumentError, Problem, child_path, shown
from earwitness.hearing import clip_uris
from earwitness.json_text import parsed
from earwitness.messages import read_messages, scheme_problems, write_messages
from earwitness.wire.trajectory.v1 import trajectory_pb2

MAX_LINE_BYTES = 1024 * 1024
"""Longest line. A question with a long trace is some kilobytes; more than this is not a manifest."""
MAX_EXAMPLES = 10_000_000
"""Most lines: twice the recipe's largest data set."""
MAX_PROBLEMS = 20
"""Most problems listed at once: after that many, reading stops."""

VERIFIERS = {
    "choice": trajectory_pb2.VERIFIER_CHOICE,
    "number": trajectory_pb2.VERIFIER_NUMBER,
    "text": trajectory_pb2.VERIFIER_TEXT,
    "polar": trajectory_pb2.VERIFIER_POLAR,
    "math": trajectory_pb2.VERIFIER_MATH,
    "judge": trajectory_pb2.VERIFIER_JUDGE,
}
"""The key `verifier`."""
POLAR_ANSWERS = ("yes", "no", "true", "false", "valid", "invalid", "correct", "incorrect")
"""Reference answers of the verifier polar."""
_VERIFIER_NAMES = {value: name for name, value in VERIFIERS.items()}


@dataclass(frozen=True)
class Example:
    """One line of a manifest."""

    prompt: trajectory_pb2.Prompt
    """The question; URIs of its clips do not depend on the manifest's folder."""
    reasoning: str | None = None
    """A reasoning trace to learn from, without think tags."""
    response: str | None = None
    """The answer that the trace comes to, if it is not the reference answer: cold-start traces can be wrong."""
    extra: dict[str, Any] = field(default_factory=dict)
    """What the writer wants to remember about the example, as JSON."""


class ManifestError(DocumentError):
    """What is wrong with a manifest: every problem's path is `uri:line` or `uri:line.key`."""


def read_manifest(uri: str, *, check_audio: bool = False) -> list[Example]:
    """The examples of the manifest at `uri`, in order. With `check_audio`, every clip must exist.

    Raises ManifestError, with up to `MAX_PROBLEMS` problems.
    """
    examples: list[Example] = []
    problems: list[Problem] = []
    first_line: dict[str, int] = {}
    for number, _, example in scan_manifest(uri, problems, check_audio=check_audio):
        if example is not None:
            identity = example.prompt.id
            if identity in first_line:
                what = f"duplicate id {shown(identity)} (first on line {first_line[identity]})"
                problems.append(Problem(f"{uri}:{number}.id", what, "an id of its own for each line"))
            first_line.setdefault(identity, number)
            examples.append(example)
        if len(problems) >= MAX_PROBLEMS:
            break
    if not examples and not problems:
        problems.append(Problem(uri, "the manifest is empty", "at least one line"))
    if problems:
        raise ManifestError(problems)
    return examples


def scan_manifest(
    uri: str, problems: list[Problem], *, check_audio: bool = False
) -> Iterator[tuple[int, int, Example | None]]:
    """Line number from 1, offset in bytes and example of every line that is not blank, one after another.

    What is wrong is added to `problems`; a wrong line has no example. Whether ids are unique is the caller's to see.
    """
    for number, offset, line in _lines(uri, problems):
        example = parse_line(line, uri, number, problems)
        if example is not None and check_audio:
            _check_audio(example, uri, number, problems)
        yield number, offset, example


def write_manifest(uri: str, examples: Iterable[Example]) -> None:
    """Writes a manifest that `read_manifest` reads back. Clips under its folder are named relative to it.

    A reader sees the old file or the whole new one.
    """
    fs, path = storage.store(uri)
    fs.makedirs(storage.parent(path), exist_ok=True)
    partial = f"{path}.part"
    with fs.open(partial, "wb") as file:
        for example in examples:
            file.write(_line(example, storage.parent(uri)).encode() + b"\n")
    fs.mv(partial, path)


def _lines(uri: str, problems: list[Problem]) -> Iterator[tuple[int, int, bytes]]:
    """Line numbers from 1, offsets, and lines that are not blank. An over-long line ends the reading with a problem."""
    try:
        file = storage.open_to_read(uri)
    except storage.StorageError as error:
        problems.append(Problem(uri, error.problem, "the path of a manifest (JSON lines)"))
        return
    with file:
        number, following = 0, 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            offset, following = following, following + len(line)
            if len(line) > MAX_LINE_BYTES:
                what = f"the line is longer than {MAX_LINE_BYTES} bytes"
                problems.append(Problem(f"{uri}:{number}", what, "one JSON object a line, at most 1 MiB"))
                return
            if number > MAX_EXAMPLES:
                problems.append(Problem(f"{uri}:{number}", "too many lines", f"at most {MAX_EXAMPLES} lines"))
                return
            if line.strip():
                yield number, offset, line


def parse_line(line: bytes, uri: str, number: int, problems: list[Problem]) -> Example | None:
    """The line's example, or None and what is wrong."""
    where = f"{uri}:{number}"
    try:
        record = parsed(
            line.decode("utf-8-sig"),
            object_pairs_hook=unique_keys,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except ValueError as error:
        problems.append(Problem(where, f"not JSON ({error})", "one JSON object a line, in UTF-8"))
        return None
    if not isinstance(record, dict):
        problems.append(Problem(where, f"a JSON {type(record).__name__}", "a JSON object"))
        return None
    found = _record_problems(record, where)
    problems += found
    if found:
        return None
    question, clips, _ = read_messages(record["messages"], "") if "messages" in record else (record["question"], [], [])
    audio, control = (record.get(key) or "" for key in CLIP_KEYS)
    folder = storage.parent(uri)
    prompt = trajectory_pb2.Prompt(
        id=record["id"],
        question=question,
        choices=record.get("choices", []),
        answer=record["answer"],
        verifier=VERIFIERS[record["verifier"]],
        audio_uri=storage.join(folder, audio) if audio else "",
        kind=record.get("kind", ""),
        control_uri=storage.join(folder, control) if control else "",
        clips=[
            trajectory_pb2.PlacedClip(
                audio_uri=storage.join(folder, path),
                at=at,
                control_uri=storage.join(folder, without) if without else "",
            )
            for path, at, without in clips
        ],
    )
    return Example(prompt, record.get("reasoning"), record.get("response"), record.get("extra", {}))


CLIP_KEYS = ("audio", "control_audio")
"""Keys that name clips."""
_TEXT_KEYS = {
    "id": True,
    "question": True,
    "answer": True,
    "verifier": True,
    "audio": False,
    "control_audio": False,
    "kind": False,
    "reasoning": False,
    "response": False,
}
"""Keys with text values, and whether they must be there."""
_KEYS = [*_TEXT_KEYS, "messages", "choices", "extra"]


def _record_problems(record: Mapping[str, Any], where: str) -> list[Problem]:
    problems = [
        Problem(child_path(where, key), "unknown key", f"one of {', '.join(_KEYS)} (anything else goes under extra)")
        for key in record
        if key not in _KEYS
    ]
    if "messages" in record:
        instead = "either messages, or question and audio"
        problems += [
            Problem(f"{where}.{key}", "beside messages", instead) for key in ("question", *CLIP_KEYS) if key in record
        ]
        problems += _message_problems(record["messages"], f"{where}.messages")
    for key, required in _TEXT_KEYS.items():
        if key == "question" and "messages" in record:
            continue
        value = record.get(key)
        if value is None and not required:
            continue
        if key not in record:
            problems.append(Problem(f"{where}.{key}", "missing", "text"))
        elif not isinstance(value, str):
            problems.append(Problem(f"{where}.{key}", f"{shown(value)} is not text", "text"))
        elif required and not value.strip():
            problems.append(Problem(f"{where}.{key}", "empty", "text"))
        elif not _encodable(value):
            problems.append(Problem(f"{where}.{key}", "half of a surrogate pair", "text that UTF-8 can hold"))
    extra = record.get("extra", {})
    if not isinstance(extra, dict):
        problems.append(Problem(f"{where}.extra", f"{shown(extra)} is not an object", "a JSON object"))
    elif not _encodable(json.dumps(extra, ensure_ascii=False)):
        problems.append(Problem(f"{where}.extra", "half of a surrogate pair", "text that UTF-8 can hold"))
    return problems or _answer_problems(record, where) + _audio_problems(record, where)


def _answer_problems(record: Mapping[str, Any], where: str) -> list[Problem]:
    """Problems between keys; only looked for when the text keys are right."""
    choices, verifier, answer = record.get("choices", []), record["verifier"], record["answer"]
    if verifier not in VERIFIERS:
        return [Problem(f"{where}.verifier", f"unknown verifier {shown(verifier)}", f"one of {', '.join(VERIFIERS)}")]
    if not isinstance(choices, list) or not all(isinstance(c, str) and c.strip() and _encodable(c) for c in choices):
        return [Problem(f"{where}.choices", f"{shown(choices)} is not a list of texts", "a list of texts, none empty")]
    if verifier == "choice" and not 2 <= len(choices) <= len(LETTERS):
        return [Problem(f"{where}.choices", f"{len(choices)} choices", f"2 to {len(LETTERS)} for the verifier choice")]
    if verifier != "choice" and choices:
        return [Problem(f"{where}.choices", f"choices with the verifier {verifier}", "none, or the verifier choice")]
    if verifier == "polar" and answer.casefold() not in POLAR_ANSWERS:
        return [Problem(f"{where}.answer", f"{shown(answer)} takes no side", f"one of {', '.join(POLAR_ANSWERS)}")]
    if len(set(choices)) != len(choices):
        return [Problem(f"{where}.choices", "the same choice twice", "choices that differ")]
    if choices and answer not in choices:
        return [Problem(f"{where}.answer", f"{shown(answer)} is not among the choices", f"one of {shown(choices)}")]
    return []


def _audio_problems(record: Mapping[str, Any], where: str) -> list[Problem]:
    problems = []
    for key in CLIP_KEYS:
        try:
            storage.check_scheme(record.get(key) or "")
        except storage.StorageError as error:
            problems.append(Problem(f"{where}.{key}", error.problem, error.expected))
    return problems


def _message_problems(messages: object, where: str) -> list[Problem]:
    question, clips, problems = read_messages(messages, where)
    if not _encodable(question):
        problems.append(Problem(where, "half of a surrogate pair", "text that UTF-8 can hold"))
    return problems or list(scheme_problems(clips, where))


def _check_audio(example: Example, uri: str, number: int, problems: list[Problem]) -> None:
    prompt = example.prompt
    key = "messages" if prompt.clips else "audio"
    named = [*((key, clip) for clip in dict.fromkeys(clip_uris(prompt))), ("control_audio", prompt.control_uri)]
    named += [(key, clip.control_uri) for clip in prompt.clips]
    for key, clip in named:
        if not clip:
            continue
        fs, path = storage.store(clip)
        if not fs.isfile(path):
            what = f"no such file: {clip}"
            problems.append(Problem(f"{uri}:{number}.{key}", what, "a clip; paths start from the manifest's folder"))


def _line(example: Example, folder: str) -> str:
    def named(clip: str) -> str:
        return clip.removeprefix(f"{folder}/")

    prompt = example.prompt
    record = {
        "id": prompt.id,
        "messages": write_messages(prompt, named) if prompt.clips else None,
        "audio": named(prompt.audio_uri) or None,
        "control_audio": named(prompt.control_uri) or None,
        "question": None if prompt.clips else prompt.question,
        "choices": list(prompt.choices) or None,
        "answer": prompt.answer,
        "verifier": _VERIFIER_NAMES[prompt.verifier],
        "kind": prompt.kind or None,
        "reasoning": example.reasoning,
        "response": example.response,
        "extra": example.extra or None,
    }
    told = {key: value for key, value in record.items() if value is not None}
    return json.dumps(told, ensure_ascii=False, allow_nan=False)


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, for `object_pairs_hook`. Raises ValueError where a key stands twice: which is meant?"""
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("the same key twice")
    return record


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{shown(text)} is larger than a number can be")
    return value


def _encodable(text: str) -> bool:
    """False for lone surrogates, which JSON can spell and UTF-8 cannot hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
