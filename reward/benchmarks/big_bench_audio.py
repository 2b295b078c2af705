"""Big Bench Audio: valid or invalid, yes or no, a count. The published grader is a language model; this is its
offline stand-in: what follows "final answer", or else the last thing that could be an answer."""

from __future__ import annotations

import re

from earwitness.data.importers.big_bench_audio import ASKED
from earwitness.errors import InputError, shown
from earwitness.manifest import VERIFIERS
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.benchmarks.rows import Record, Row, identity, text_of
from reward.correctness.polar import OPPOSITE
from reward.numbers import SMALL

TAIL_CHARS = 60
"""Characters after "final answer" that may hold it."""
_NUMBERS = {**{word: str(value) for word, value in SMALL.items()}, "twenty": "20"}
"""Words for numbers as far as the published offline rule knows them."""
_MARKER = re.compile(r"\b(?:final answer|answer)\b\s*(?:is\b)?\s*[:=-]?\s*", re.IGNORECASE)
_NOT = r"(?P<not>\b(?:not|isn't|never)\s+(?:\w+\s+)?)?"
_CANDIDATES = {
    "formal_fallacies": re.compile(rf"{_NOT}\b(?P<said>valid|invalid)\b", re.IGNORECASE),
    "navigate": re.compile(rf"{_NOT}\b(?P<said>yes|no)\b", re.IGNORECASE),
    "web_of_lies": re.compile(rf"{_NOT}\b(?P<said>yes|no)\b", re.IGNORECASE),
    "object_counting": re.compile(rf"(?P<not>)\b(?P<said>\d{{1,9}}|{'|'.join(_NUMBERS)})\b", re.IGNORECASE),
}


def read_big_bench_audio(record: Record, number: int, where: str) -> Row:
    """A row of metadata.jsonl."""
    category = text_of(record, "category", where)
    if category not in ASKED:
        raise InputError(f"{where}.category", f"unknown category {shown(category)}", f"one of {', '.join(ASKED)}")
    prompt = trajectory_pb2.Prompt(
        id=identity(record, number),
        answer=text_of(record, "official_answer", where).strip().lower(),
        verifier=VERIFIERS[ASKED[category][0]],
    )
    return Row(prompt, category)


def offline_match(row: Row, prediction: str) -> float | None:
    """Whether the answer found is the reference; None, not counted, where none is found."""
    pattern = _CANDIDATES[row.category]
    marker = _MARKER.search(prediction)
    found = pattern.search(prediction[marker.end() : marker.end() + TAIL_CHARS]) if marker else None
    if found is None:
        candidates = list(pattern.finditer(prediction))
        if not candidates:
            return None
        found = candidates[-1]
    said = _NUMBERS.get(found["said"].lower(), found["said"].lower())
    return float((OPPOSITE[said] if found["not"] else said) == row.prompt.answer)
