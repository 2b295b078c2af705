"""Parquet, as the Hugging Face hub keeps data sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from earwitness.data.formats.columns import (
    ROWS_AT_ONCE,
    check_schema,
    class_labels,
    is_sound,
    records,
    typed,
    without_sound,
)
from earwitness.data.question import SourceError

MAX_GROUP_BYTES = 4 * 1024**3
"""Largest row group, decompressed: writers take 100 to 1,000 clips or 128 MB a group."""
MAX_FOOTER_BYTES = 64 * 1024 * 1024
"""Largest thrift structure of a footer."""


def rows(path: Path, *, with_sound: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every row. Raises SourceError for sizes that no data set has, before memory is asked for."""
    with (
        typed(path),
        path.open("rb") as file,
        pq.ParquetFile(
            file,
            thrift_string_size_limit=MAX_FOOTER_BYTES,
            thrift_container_size_limit=MAX_FOOTER_BYTES,
            arrow_extensions_enabled=False,
        ) as found,
    ):
        schema, metadata = found.schema_arrow, found.metadata
        check_schema(schema, path, metadata.metadata)
        _check_sizes(metadata, path)
        columns, sounds = _columns(schema, with_sound=with_sound)
        labels = class_labels(schema)
        number = 0
        for batch in found.iter_batches(ROWS_AT_ONCE, columns=columns, use_threads=False):
            for record in records(batch, labels):
                number += 1
                yield f"row {number}", record if with_sound else without_sound(record, sounds)


def _check_sizes(metadata: Any, path: Path) -> None:
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        size = max(
            group.total_byte_size, sum(group.column(i).total_uncompressed_size for i in range(group.num_columns))
        )
        if not 0 <= size <= MAX_GROUP_BYTES:
            raise SourceError(
                f"{path}, row group {number}", f"claims {size:,} bytes", f"at most {MAX_GROUP_BYTES:,} a row group"
            )


def _columns(schema: pa.Schema, *, with_sound: bool) -> tuple[list[str] | None, dict[str, bool]]:
    """The columns to read, None for all, and which of them are sounds: True where their path is read."""
    if with_sound:
        return None, {}
    columns, sounds = [], {}
    for field in schema:
        if not is_sound(field.type):
            columns.append(field.name)
            continue
        has_path = pa.types.is_struct(field.type) and field.type.get_field_index("path") >= 0
        sounds[field.name] = has_path
        if has_path:
            columns.append(f"{field.name}.path")
    return columns, sounds
