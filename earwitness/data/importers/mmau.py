"""MMAU: `mmau-test-mini.json` beside `test-mini-audios/`. Answers of the large test set are withheld."""

from __future__ import annotations

from earwitness.data.choices import listed
from earwitness.data.fields import text
from earwitness.data.importers.base import Columns, Importer, of_choices
from earwitness.data.question import LeftOut, Question, Row


def question(row: Row, _columns: Columns) -> Question:
    """`audio_id` is a path; the answer is the text of a choice."""
    fields = row.fields
    answer = text(fields, "answer")
    if not answer:
        raise LeftOut("no answer (those of the test split are withheld)")
    more = ("dataset", "split", "category", "sub-category", "difficulty")
    return of_choices(fields, listed(fields.get("choices")), answer, ("audio_id", "audio"), "task", more)


IMPORTER = Importer(
    question,
    ("**/mmau-test-mini*.json", "**/mmau-test*.json"),
    {"url": "https://github.com/Sakshi113/MMAU", "note": "cite the version; v05.15.25 revised a quarter of it"},
)
