"""MMAR: `MMAR-meta.jsonl` beside `audio/`. The reference reasoning stays in `extra`: it is for graders."""

from __future__ import annotations

from earwitness.data.choices import listed
from earwitness.data.fields import text
from earwitness.data.importers.base import Columns, Importer, of_choices
from earwitness.data.question import Question, Row


def question(row: Row, _columns: Columns) -> Question:
    """`audio_path` is a path; the answer is the text of a choice."""
    fields = row.fields
    more = ("modality", "sub-category", "language", "source", "url", "timestamp", "thinking", "cue", "rubric")
    choices, answer = listed(fields.get("choices")), text(fields, "answer")
    return of_choices(fields, choices, answer, ("audio_path", "audio"), "category", more)


IMPORTER = Importer(
    question, ("**/MMAR-meta*.jsonl", "**/MMAR-meta*.json"), {"url": "https://github.com/ddlBoJack/MMAR"}
)
