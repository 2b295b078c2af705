"""AVQA and what is made like it: a JSON list about videos, whose sound lies beside it as audio files."""

from __future__ import annotations

from earwitness.data.choices import at_index, listed, settled
from earwitness.data.fields import kept, needed, needed_sound, sound, text
from earwitness.data.importers.base import Columns, Importer
from earwitness.data.question import Question, Row


def question(row: Row, _columns: Columns) -> Question:
    """`answer` is the index of a choice, from 0, or its text; `video_name` is the name of a clip without suffix."""
    fields = row.fields
    choices = listed(fields.get("multi_choice") or fields.get("choices"))
    answer = text(fields, "answer")
    if isinstance(fields.get("answer"), int | float) or (answer.isdecimal() and answer not in choices):
        answer = at_index(choices, answer)
    different, right = settled(choices, answer)
    name = text(fields, "video_name")
    key = "question_text" if text(fields, "question_text") else "question"
    return Question(
        text(fields, "id") or str(row.number),
        needed(fields, key, "question"),
        right,
        "choice",
        different,
        sound(fields, "audio", "audio_path") or needed_sound({"video_name": name}, "video_name"),
        text(fields, "question_type"),
        extra=kept(fields, ("question_relation", "video_id", "video_name")),
    )


IMPORTER = Importer(question, ("**/train_qa.json", "**/val_qa.json"), by_split=True)
