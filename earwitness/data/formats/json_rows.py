"""JSON lines, or one JSON list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from earwitness import storage
from earwitness.data.question import SourceError
from earwitness.json_text import parsed
from earwitness.manifest import unique_keys

MAX_LINE_BYTES = 16 * 1024 * 1024
"""Longest line of JSON lines: a question with a long trace is some kilobytes."""
MAX_LIST_BYTES = 256 * 1024 * 1024
"""Largest JSON list, which is read whole: the 10,000 rows of the largest benchmark take 10 MB."""

Found = Iterator[tuple[str, Mapping[str, Any]]]


def rows(path: Path | str, *, with_sound: bool) -> Found:
    """Every object of a file or URI. `with_sound` changes nothing: JSON holds none."""
    del with_sound
    with storage.open_to_read(str(path)) as file:
        is_list = file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"["
        file.seek(0)
        yield from _of_list(path) if is_list else _of_lines(path, file)


def _of_list(path: Path | str) -> Found:
    found = _parsed(storage.read_bytes(str(path), MAX_LIST_BYTES), str(path))
    if not isinstance(found, list):
        raise SourceError(str(path), "is not a JSON list", "a list of objects, or JSON lines")
    for number, record in enumerate(found, start=1):
        yield f"row {number}", _object(record, f"{path}, row {number}")


def _of_lines(path: Path | str, file: Any) -> Found:
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            raise SourceError(f"{path}:{number}", "the line is longer than 16 MiB", "one JSON object a line")
        if line.strip():
            yield f"line {number}", _object(_parsed(line, f"{path}:{number}"), f"{path}:{number}")


def _parsed(data: bytes, where: str) -> Any:
    try:
        return parsed(data.decode("utf-8-sig"), object_pairs_hook=unique_keys)
    except ValueError as error:
        raise SourceError(where, f"not JSON ({error})", "a JSON list, or one object a line, in UTF-8") from error


def _object(record: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(record, dict):
        raise SourceError(where, f"a JSON {type(record).__name__}", "a JSON object")
    return record
