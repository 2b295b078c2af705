"""Spoken-MQA (amao0o0/spoken-mqa): parquet, a split for each of the four subsets."""

from __future__ import annotations

import re

from earwitness.data.fields import kept, needed, sound, text
from earwitness.data.importers.base import Columns, Importer
from earwitness.data.question import LeftOut, Question, Row

_TRIGGER = re.compile("The answer is:|[Tt]he answer is|####")


def question(row: Row, _columns: Columns) -> Question:
    """The recording is `context`; the answer may stand behind its solution and "####"."""
    fields = row.fields
    answer = _TRIGGER.split(needed(fields, "answer"))[-1].strip().replace(",", "").removesuffix(".")
    if not answer:
        raise LeftOut("no answer")
    subset = text(fields, "subset") or row.split
    number = row.where.rpartition(" ")[2]
    return Question(
        text(fields, "id") or f"{subset}-{number}",
        text(fields, "instruction") or "Answer the question in the recording.",
        answer,
        "number",
        sound=sound(fields, "context", "audio"),
        kind=subset,
        extra=kept(fields, ("context_transcript",)),
    )


IMPORTER = Importer(question, (), {"url": "https://huggingface.co/datasets/amao0o0/spoken-mqa"})
