"""MMAU and MMAR: the sets of words of answer and choices."""

from __future__ import annotations

import re

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.benchmarks.rows import Record, Row, identity, text_of

_WORD = re.compile(r"\b\w+\b")


def string_match(row: Row, prediction: str) -> float | None:
    """1 if all words of the answer are in the prediction, and none that only other choices have.

    A letter alone is wrong, and so is "the answer is X" where a wrong choice holds "the"; a wrong choice with the
    words of the right one in another order is right. That is the published rule.
    """
    answer, said = _words(row.prompt.answer), _words(prediction)
    others = {word for choice in row.prompt.choices for word in _words(choice)} - answer
    return float(bool(said) and answer <= said and not said & others)


def read_row(record: Record, number: int, where: str, *, category: str) -> Row:
    """A row of mmau-test-mini.json or MMAR-meta.jsonl, which name the category otherwise."""
    choices = record.get("choices")
    prompt = trajectory_pb2.Prompt(
        id=identity(record, number),
        question=text_of(record, "question", where),
        choices=[str(choice) for choice in choices] if isinstance(choices, list) else [],
        answer=text_of(record, "answer", where),
        verifier=trajectory_pb2.VERIFIER_CHOICE,
    )
    return Row(prompt, str(record.get(category, "")))


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))
