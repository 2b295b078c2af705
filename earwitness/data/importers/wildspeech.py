"""WildSpeech-Bench: spoken queries with a checklist, which a judge marks answers by."""

from __future__ import annotations

import json

from earwitness.data.fields import kept, sound, text
from earwitness.data.importers.base import Columns, Importer
from earwitness.data.question import LeftOut, Question, Row


def marked_by(checklist: object) -> str:
    """What a judge marks by, as text."""
    return checklist.strip() if isinstance(checklist, str) else json.dumps(checklist, ensure_ascii=False)


def question(row: Row, _columns: Columns) -> Question:
    """The checklist is the reference; the query's text stays in `extra`, for it is to be heard."""
    fields = row.fields
    checklist = fields.get("checklist")
    if not checklist:
        raise LeftOut("no checklist")
    found = sound(fields, "audio", "audio_path", "query_audio")
    query = text(fields, "user_query")
    if found is None and not query:
        raise LeftOut("neither a recording nor a query")
    return Question(
        text(fields, "id") or f"{row.split}-{row.number}",
        "Respond to the speaker." if found else query,
        marked_by(checklist),
        "judge",
        sound=found,
        kind=text(fields, "taskType"),
        extra=kept(fields, ("user_query", "additional_info", "modification_type")),
    )


IMPORTER = Importer(question, (), {"url": "https://huggingface.co/datasets/tencent/WildSpeech-Bench"})
