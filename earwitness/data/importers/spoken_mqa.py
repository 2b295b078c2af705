"""Spoken-MQA (amao0o0/spoken-mqa): parquet, a split for each of the four subsets."""

from __future__ import annotations

import re

from earwitness.data.fields import kept, needed, needed_sound, text
from earwitness.data.importers.base import Columns, Importer
from earwitness.data.question import LeftOut, Question, Row

SUBSETS = ("short_digit", "long_digit", "single_step_reasoning", "multi_step_reasoning")
"""Files or folders, by where the data set was taken from."""
TRIGGERS = ("The answer is:", "The answer is", "the answer is", "####")
"""What an answer stands behind, by the published rule."""
TRIGGER = re.compile("|".join(TRIGGERS))


def reference(answer: str) -> str:
    """The number behind its solution, without commas and full stop."""
    return TRIGGER.split(answer)[-1].strip().replace(",", "").removesuffix(".")


def question(row: Row, _columns: Columns) -> Question:
    """The recording is `context`; the answer may stand behind its solution and "####"."""
    fields = row.fields
    answer = reference(needed(fields, "answer"))
    if not answer:
        raise LeftOut("no answer")
    subset = text(fields, "subset") or (row.folder.name if row.folder.name in SUBSETS else row.split)
    return Question(
        text(fields, "id") or f"{subset}-{row.number}",
        text(fields, "instruction") or "Answer the question in the recording.",
        answer,
        "number",
        sound=needed_sound(fields, "context", "audio"),
        kind=subset,
        extra=kept(fields, ("context_transcript",)),
    )


IMPORTER = Importer(question, (), {"url": "https://huggingface.co/datasets/amao0o0/spoken-mqa"})
