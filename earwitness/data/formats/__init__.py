"""Files that hold rows, by suffix: each room reads one format, and trusts no size that a file claims."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from earwitness.data.question import SourceError

MODULES = {
    ".jsonl": "json_rows", ".json": "json_rows", ".csv": "csv_rows", ".tsv": "csv_rows",
    ".parquet": "parquet_rows", ".arrow": "arrow_rows", ".tar": "tar_rows",
}  # fmt: skip
"""Reader of each suffix; pyarrow is imported only where it is needed."""


def read(path: Path, *, with_sound: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(place within the file, fields) of every row. Without sound, bytes that the file holds are not read.

    Raises SourceError.
    """
    module = MODULES.get(path.suffix.lower())
    if module is None:
        raise SourceError(str(path), "is of no known format", f"one of {', '.join(MODULES)}")
    try:
        reader = importlib.import_module(f"{__name__}.{module}")
    except ModuleNotFoundError as error:
        raise SourceError(str(path), f"needs the package {error.name!r}", "pip install 'earwitness[data]'") from error
    yield from reader.rows(path, with_sound=with_sound)
