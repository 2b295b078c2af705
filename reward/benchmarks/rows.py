"""Rows of a benchmark's file, and what a model answered to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from earwitness.data.formats.json_rows import rows
from earwitness.errors import InputError, shown
from earwitness.families.family import THINK_END
from earwitness.wire.trajectory.v1 import trajectory_pb2

MAX_PREDICTION_CHARS = 200_000
"""Longer answers are cut: five times what 10,240 tokens hold."""
PREDICTION = "prediction"
"""Key of an answer in a file of answers; the key that the benchmark's own program writes is read too."""

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One question of a benchmark."""

    prompt: trajectory_pb2.Prompt
    """Question, choices, reference answer, and the verifier of the strict score."""
    category: str
    """What scores are broken down by."""


def read_records(uri: str) -> list[Record]:
    """The objects of a JSON list or of JSON lines, as `data import` reads them. Raises InputError naming the line."""
    records = [record for _, record in rows(uri, with_sound=False)]
    if not records:
        raise InputError(uri, "is empty", "at least one row")
    return records


def text_of(record: Record, key: str, where: str) -> str:
    """The text under `key`, also as {"text": ...}. Raises InputError if there is none."""
    value = record.get(key)
    if isinstance(value, Mapping):
        value = value.get("text")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"{where}.{key}", f"{shown(value)} is not text", "text")
    return str(value)


def identity(record: Record, number: int) -> str:
    """The record's id; its number from 0 where a benchmark gives none."""
    value = record.get("id")
    return str(number) if value is None else str(value)


def read_predictions(uri: str, key: str, also: str = PREDICTION) -> dict[str, str | None]:
    """Answers under `key` or `also` by id, without their thinking; None for rows without. Raises InputError."""
    predictions: dict[str, str | None] = {}
    for number, record in enumerate(read_records(uri)):
        name = identity(record, number)
        if name in predictions:
            raise InputError(f"{uri}, row {number + 1}.id", f"{shown(name)} a second time", "one answer for each id")
        value = record.get(key, record.get(also))
        if isinstance(value, list) and value and isinstance(value[0], str):
            value = value[0]  # some programs keep a list of samples
        if value is not None and not isinstance(value, str):
            raise InputError(f"{uri}, row {number + 1}", f"{shown(value)} is not text", f"text under {key!r}")
        predictions[name] = None if value is None else value[-MAX_PREDICTION_CHARS:].rpartition(THINK_END)[2]
    return predictions
