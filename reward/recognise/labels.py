"""What the file beside a tagger says of it: its labels, and the rate of the sound that it hears."""

from __future__ import annotations

import csv
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from earwitness.errors import InputError
from reward.recognise.sources import SOURCES

EXPECTED = (
    '{"sample_rate": 32000, "labels": ["Speech", ...]} in a .json of the same name, or AudioSet\'s '
    "class_labels_indices.csv as a .csv of the same name"
)


class Beside(BaseModel):
    """The file beside a tagger."""

    model_config = ConfigDict(extra="forbid")

    labels: list[str] = Field(min_length=1)
    """In the order of the network's scores."""
    sample_rate: int | None = Field(default=None, ge=4_000, le=96_000)
    """Hz; None: the network itself says it."""


def beside(model: Path) -> Beside:
    """Reads the file beside `model`. Raises InputError naming it."""
    as_json, as_csv = model.with_suffix(".json"), model.with_suffix(".csv")
    if as_json.is_file():
        try:
            return Beside.model_validate_json(as_json.read_bytes())
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise InputError(str(as_json), f"{where}: {first['msg']}", EXPECTED) from None
    if not as_csv.is_file():
        raise InputError(str(model), "there are no labels beside it", EXPECTED)
    try:
        with as_csv.open(newline="", encoding="utf-8") as file:
            return Beside(labels=[row["display_name"] for row in csv.DictReader(file)])
    except (KeyError, UnicodeDecodeError, csv.Error, ValidationError):
        raise InputError(str(as_csv), "it has no rows with a column display_name", EXPECTED) from None


def columns(labels: list[str]) -> dict[str, list[int]]:
    """For each source that is among `labels`, under its own name or as a class of AudioSet, which they are."""
    at: dict[str, list[int]] = {}
    for index, label in enumerate(labels):
        at.setdefault(label.strip().lower(), []).append(index)
    found = {
        key: list(dict.fromkeys(index for name in source.names for index in at.get(name.lower(), ())))
        for key, source in SOURCES.items()
    }
    return {key: indices for key, indices in found.items() if indices}
