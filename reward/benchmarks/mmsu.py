"""MMSU: the first letter of the reply, or else its second-last character."""

from __future__ import annotations

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.benchmarks.rows import Record, Row, identity, text_of

LETTERS = "ABCD"


def read_mmsu(record: Record, number: int, where: str) -> Row:
    """A row of the split `train`, exported as JSON lines."""
    prompt = trajectory_pb2.Prompt(
        id=identity(record, number),
        question=text_of(record, "question", where),
        choices=[text_of(record, f"choice_{letter.lower()}", where) for letter in LETTERS],
        answer=text_of(record, "answer_gt", where),
        verifier=trajectory_pb2.VERIFIER_CHOICE,
    )
    return Row(prompt, str(record.get("category", "")))


def letter_match(row: Row, prediction: str) -> float | None:
    """Whether the letter found stands for the answer; None, not counted at all, where none is found.

    "Dogs" begins with D and is read as choice D, and what cannot be read leaves the score untouched: so the published
    rule says.
    """
    text = prediction.strip()
    for letter in (text[:1], text[-2:-1]):
        if letter and letter in LETTERS[: len(row.prompt.choices)]:
            return float(row.prompt.choices[LETTERS.index(letter)] == row.prompt.answer)
    return None
