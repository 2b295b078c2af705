"""MMSU (ddwang2000/MMSU): parquet, four choices in columns of their own."""

from __future__ import annotations

from earwitness.data.choices import settled
from earwitness.data.fields import kept, needed, needed_sound, text
from earwitness.data.importers.base import Columns, Importer
from earwitness.data.question import Question, Row


def question(row: Row, _columns: Columns) -> Question:
    """`answer_gt` is the text of a choice."""
    fields = row.fields
    given = [text(fields, f"choice_{letter}") for letter in "abcd"]
    choices, right = settled(given, text(fields, "answer_gt"))
    keys = ("task_name", "sub-category", "sub-sub-category", "linguistics_sub_discipline")
    return Question(
        needed(fields, "id"),
        needed(fields, "question"),
        right,
        "choice",
        choices,
        needed_sound(fields, "audio", "audio_path"),
        text(fields, "category"),
        extra=kept(fields, keys),
    )


IMPORTER = Importer(question, (), {"url": "https://huggingface.co/datasets/ddwang2000/MMSU"})
