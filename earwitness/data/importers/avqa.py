"""AVQA and what is made like it: a JSON list about videos, whose sound lies beside it as audio files."""

from __future__ import annotations

from earwitness.data.choices import listed, settled
from earwitness.data.fields import kept, needed, sound, text
from earwitness.data.importers.base import Columns, Importer
from earwitness.data.question import LeftOut, Question, Row, Sound


def question(row: Row, _columns: Columns) -> Question:
    """`answer` is the index of a choice, from 0, or its text; `video_name` is the name of a clip without suffix."""
    fields = row.fields
    choices = listed(fields.get("multi_choice") or fields.get("choices"))
    answer = fields.get("answer")
    if isinstance(answer, int) and not isinstance(answer, bool):
        if not 0 <= answer < len(choices):
            raise LeftOut(f"answer {answer} of {len(choices)} choices")
        answer = choices[answer]
    different, right = settled(choices, str(answer or ""))
    name = text(fields, "video_name")
    key = "question_text" if text(fields, "question_text") else "question"
    return Question(
        text(fields, "id") or row.where.rpartition(" ")[2],
        needed(fields, key, "question"),
        right,
        "choice",
        different,
        sound(fields, "audio", "audio_path") or (Sound(path=name) if name else None),
        text(fields, "question_type"),
        extra=kept(fields, ("question_relation", "video_id", "video_name")),
    )


IMPORTER = Importer(question, ("**/train_qa.json", "**/val_qa.json"), by_split=True)
