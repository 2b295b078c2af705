"""MMAR: `MMAR-meta.jsonl` beside `audio/`. The reference reasoning stays in `extra`: it is for graders."""

from __future__ import annotations

from earwitness.data.choices import listed, settled
from earwitness.data.fields import kept, needed, needed_sound, text
from earwitness.data.importers.base import Columns, Importer
from earwitness.data.question import Question, Row


def question(row: Row, _columns: Columns) -> Question:
    """`audio_path` is a path; the answer is the text of a choice."""
    fields = row.fields
    choices, right = settled(listed(fields.get("choices")), text(fields, "answer"))
    keys = ("modality", "sub-category", "language", "source", "url", "timestamp", "thinking", "cue", "rubric")
    return Question(
        needed(fields, "id"),
        needed(fields, "question"),
        right,
        "choice",
        choices,
        needed_sound(fields, "audio_path", "audio"),
        text(fields, "category"),
        extra=kept(fields, keys),
    )


IMPORTER = Importer(
    question, ("**/MMAR-meta*.jsonl", "**/MMAR-meta*.json"), {"url": "https://github.com/ddlBoJack/MMAR"}
)
