"""What parquet and Arrow files have in common: schemas that are looked at, and audio that stands in columns."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from earwitness.data.question import SourceError
from earwitness.json_text import parsed

ROWS_AT_ONCE = 16
"""Rows of audio that are held at a time: at 30 s of 48 kHz wav they are 46 MB."""
_RUN_ON_READING = (b"arrow.py_extension_type", b"c__builtin__\n", b"cbuiltins\n", b"cposix\n")
"""The extension type that old readers unpickle, and the begin of what pickles call."""


@contextmanager
def typed(path: Path) -> Iterator[None]:
    """Gives every error of pyarrow a place and a kind."""
    try:
        yield
    except (pa.ArrowException, MemoryError, OSError, UnicodeDecodeError) as error:
        words = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise SourceError(str(path), f"cannot be read ({words})", "a whole parquet or Arrow file") from error


def check_schema(schema: pa.Schema, path: Path, file_metadata: Mapping[bytes, bytes] | None = None) -> None:
    """Raises SourceError for metadata that holds objects to be unpickled. Ours never are; other readers' may be."""
    pairs = {**(schema.metadata or {}), **(file_metadata or {})}
    for field in schema:
        pairs |= {f"{field.name}.{key!r}".encode(): value for key, value in (field.metadata or {}).items()}
    for key, value in pairs.items():
        for form in (value, _decoded(value)):
            if _is_pickle(form) or any(word in form for word in _RUN_ON_READING):
                raise _pickled(path, key.decode(errors="replace"))


def records(batch: pa.RecordBatch, labels: Mapping[str, Sequence[str]]) -> Iterator[Mapping[str, Any]]:
    """The rows of a batch, a few at a time, with the names of what `class_labels` found in place of their numbers."""
    for start in range(0, batch.num_rows, ROWS_AT_ONCE):
        for record in batch.slice(start, ROWS_AT_ONCE).to_pylist():
            for name, names in labels.items():
                if isinstance(number := record.get(name), int):
                    record[name] = names[number] if 0 <= number < len(names) else None
            yield record


def class_labels(schema: pa.Schema) -> Mapping[str, Sequence[str]]:
    """Columns that hold numbers of names (`ClassLabel` of `datasets`), and the names."""
    try:
        features = parsed((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {
            name: feature["names"]
            for name, feature in features.items()
            if feature.get("_type") == "ClassLabel" and all(isinstance(said, str) for said in feature["names"])
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def is_sound(kind: pa.DataType) -> bool:
    """Whether a column holds clips, as Hugging Face writes them: a struct with `bytes` or `array`, or bare bytes."""
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return True
    return pa.types.is_struct(kind) and bool({"bytes", "array"} & {field.name for field in kind})


def without_sound(record: Mapping[str, Any], sounds: Mapping[str, bool]) -> Mapping[str, Any]:
    """The record with `held` in place of bytes that were not read; `sounds`: columns, and whether they have paths."""
    marked = {}
    for name, has_path in sounds.items():
        value = record.get(name) if has_path else None
        marked[name] = {"held": True, "path": value.get("path") if isinstance(value, Mapping) else None}
    return {**record, **marked}


def _pickled(path: Path, what: str) -> SourceError:
    return SourceError(f"{path}, metadata {what!r}", "holds a pickled object", "a file without objects of Python")


def _is_pickle(data: bytes) -> bool:
    """Protocols 2 to 5 begin with their number and end with a full stop."""
    return len(data) > 2 and data[0] == 0x80 and 2 <= data[1] <= 5 and data[-1:] == b"."


def _decoded(data: bytes) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return b""
