"""CSV with a header line; tabs in `.tsv`."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from earwitness.data.question import SourceError

MAX_FIELD_CHARS = 1024 * 1024
"""Longest field: what a line of a manifest may hold."""


def rows(path: Path, *, with_sound: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every line behind the header. `with_sound` changes nothing: CSV holds none."""
    del with_sound
    csv.field_size_limit(MAX_FIELD_CHARS)
    line = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
            names = reader.fieldnames or []
            if len(set(names)) != len(names) or not names:
                raise SourceError(f"{path}:1", "no header, or a column twice", "a line with the names of the columns")
            for record in reader:
                line = reader.line_num
                if None in record or None in record.values():
                    raise SourceError(f"{path}:{line}", "has not as many fields as the header", f"{len(names)} fields")
                yield f"line {line}", record
    except (csv.Error, UnicodeDecodeError) as error:
        raise SourceError(f"{path}:{line}", f"not CSV ({error})", "CSV in UTF-8, quoted by double quotes") from error
