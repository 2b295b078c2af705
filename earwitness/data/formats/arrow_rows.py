"""Arrow files, as `datasets` keeps them on disk (`save_to_disk`): streams, or files with a footer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc

from earwitness.data.formats.columns import check_schema, class_labels, is_sound, records, typed, without_sound


def rows(path: Path, *, with_sound: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every row."""
    with typed(path), pa.memory_map(str(path)) as file, _opened(file) as reader:
        check_schema(reader.schema, path)
        sounds = {field.name: False for field in reader.schema if is_sound(field.type)}
        paths = [field.name for field in reader.schema if field.name in sounds and pa.types.is_struct(field.type)]
        labels, number = class_labels(reader.schema), 0
        for batch in _batches(reader):
            batch.validate(full=True)  # else offsets that lead out of their buffers are followed
            shown = batch if with_sound else _paths_only(batch, paths, sounds)
            for record in records(shown, labels):
                number += 1
                yield f"row {number}", record if with_sound else without_sound(record, dict.fromkeys(sounds, True))


def _opened(file: Any) -> Any:
    is_file = bytes(file.read(6)) == b"ARROW1"
    file.seek(0)
    return pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)


def _batches(reader: Any) -> Iterator[pa.RecordBatch]:
    if isinstance(reader, pa.ipc.RecordBatchFileReader):
        yield from map(reader.get_batch, range(reader.num_record_batches))
    else:
        yield from reader


def _paths_only(batch: pa.RecordBatch, structs: list[str], sounds: Mapping[str, bool]) -> pa.RecordBatch:
    """The batch with {"path": ...} in place of its sounds, which are not copied."""
    arrays, names = [], []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name in structs and column.type.get_field_index("path") >= 0:
            column = pa.StructArray.from_arrays([column.field("path")], names=["path"])
        elif name in sounds:
            continue
        arrays.append(column)
        names.append(name)
    return pa.RecordBatch.from_arrays(arrays, names=names)
