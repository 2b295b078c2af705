"""Spoken-MQA: the first number after "the answer is", or else the last number. Compared as text."""

from __future__ import annotations

import re
from fractions import Fraction

from earwitness.data.importers.spoken_mqa import TRIGGER, TRIGGERS, reference
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.benchmarks.rows import Record, Row, identity, text_of
from reward.correctness import unwrap
from reward.numbers import same_number

_NUMBER = re.compile(r"-?\d{1,100}/?\.?\d{0,100}")


def read_spoken_mqa(record: Record, number: int, where: str) -> Row:
    """A row of any of the four subsets; the reference may hold its solution before "####"."""
    answer = reference(text_of(record, "answer", where))
    prompt = trajectory_pb2.Prompt(id=identity(record, number), answer=answer, verifier=trajectory_pb2.VERIFIER_NUMBER)
    return Row(prompt, str(record.get("subset", "")))


def number_match(row: Row, prediction: str) -> float | None:
    """Whether the number found has the text of the reference, superfluous zeros taken off."""
    text = prediction.strip("\n")
    if any(text.count(trigger) > 1 for trigger in TRIGGERS):
        text = text.split("\n\n")[0]  # the model went on with questions of its own
    parts = TRIGGER.split(text)
    found = _NUMBER.findall(parts[-1].replace(",", ""))
    if not found:
        return 0.0
    number = plain_number(found[0] if len(parts) > 1 else found[-1]).rstrip("./")
    return float(number.lower() == plain_number(row.prompt.answer).lower())


def stated_number(row: Row, prediction: str) -> float:
    """Strict: the line of the answer names one number, and its value is that of the reference."""
    parts = TRIGGER.split(prediction)
    lines = [line for line in parts[-1].splitlines() if line.strip()]
    if not lines:
        return 0.0
    return float(same_number(row.prompt.answer, unwrap(lines[0] if len(parts) > 1 else lines[-1])))


def plain_number(text: str) -> str:
    """ "2.50" as "2.5", "3.0" as "3", "1/2" as "0.5"; anything else as it is."""
    try:
        value = float(Fraction(text)) if "/" in text else float(text)
    except (ValueError, ZeroDivisionError, OverflowError):
        return text
    return str(int(value)) if value.is_integer() else str(value)
