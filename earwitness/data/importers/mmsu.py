"""MMSU (ddwang2000/MMSU): parquet, four choices in columns of their own."""

from __future__ import annotations

from earwitness.data.fields import text
from earwitness.data.importers.base import Columns, Importer, of_choices
from earwitness.data.question import Question, Row


def question(row: Row, _columns: Columns) -> Question:
    """`answer_gt` is the text of a choice."""
    fields = row.fields
    choices = [text(fields, f"choice_{letter}") for letter in "abcd"]
    more = ("task_name", "sub-category", "sub-sub-category", "linguistics_sub_discipline")
    return of_choices(fields, choices, text(fields, "answer_gt"), ("audio", "audio_path"), "category", more)


IMPORTER = Importer(question, (), {"url": "https://huggingface.co/datasets/ddwang2000/MMSU"})
