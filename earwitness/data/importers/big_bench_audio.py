"""Big Bench Audio: `metadata.jsonl` beside `data/*.mp3`; the recording asks, for up to a minute."""

from __future__ import annotations

from earwitness.data.fields import needed, needed_sound, text
from earwitness.data.importers.base import Columns, Importer
from earwitness.data.question import LeftOut, Question, Row
from earwitness.errors import shown

ASKED = {
    "formal_fallacies": ("polar", "Answer the question in the recording: valid or invalid?"),
    "navigate": ("polar", "Answer the question in the recording: yes or no?"),
    "web_of_lies": ("polar", "Answer the question in the recording: yes or no?"),
    "object_counting": ("number", "Answer the question in the recording with a number."),
}
"""Verifier and written question of each category: all else is heard."""


def question(row: Row, _columns: Columns) -> Question:
    """`official_answer` is a side, or a count that may be a number in JSON."""
    fields = row.fields
    category = text(fields, "category")
    if category not in ASKED:
        raise LeftOut(f"unknown category {shown(category)[:40]}")
    verifier, asked = ASKED[category]
    return Question(
        needed(fields, "id"),
        asked,
        needed(fields, "official_answer").lower(),
        verifier,
        sound=needed_sound(fields, "file_name", "audio"),
        kind=category,
    )


IMPORTER = Importer(
    question, (), {"url": "https://huggingface.co/datasets/ArtificialAnalysis/big_bench_audio", "licence": "MIT"}
)
