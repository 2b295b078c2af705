"""Where the rows of a data set lie: a file, or a folder as the hub, `datasets` and shards are laid out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from earwitness import storage
from earwitness.data.formats import MODULES, read
from earwitness.data.inside import inside
from earwitness.data.question import Row, SourceError

MAX_FILES = 100_000
"""Most files of one data set: shards of terabytes are some ten thousand."""
_SHARD = re.compile(r"^(?P<split>.+?)-\d{5}-of-\d{5}$|^(?P<part>.+?)[-_]?\d{4,}$")
_MAX_STATE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Layout:
    """The files of a source."""

    root: Path
    """The folder that everything lies in."""
    files: Sequence[tuple[str, Path]]
    """(split, file with rows), in order."""

    def rows(self, *, with_sound: bool) -> Iterator[Row]:
        """Every row. Raises SourceError."""
        for split, path in self.files:
            for place, fields in read(path, with_sound=with_sound):
                yield Row(f"{path.name}, {place}", fields, split, path.parent)


def lay_out(source: Path, preferred: Sequence[str] = ()) -> Layout:
    """The files of `source`; in a folder the first of `preferred` (patterns) that is there. Raises SourceError."""
    if not source.exists():
        raise SourceError(str(source), "no such file or folder", "a data set on disk")
    if not source.is_dir() and not source.is_file():
        raise SourceError(str(source), "is a device, a pipe or a socket", "a regular file")
    if source.is_file():
        return Layout(source.parent, [(_split_of(source), source)])
    if (source / "dataset_dict.json").is_file():
        return Layout(source, [pair for split in _splits(source) for pair in _saved(source / split, split, source)])
    if (source / "state.json").is_file():
        return Layout(source, _saved(source, "", source))
    for pattern in (*preferred, "**/metadata.jsonl", "**/metadata.csv", "**/metadata.parquet"):
        if found := _files(source, pattern):
            return Layout(source, [(_split_of(path), path) for path in found])
    for suffix in (".parquet", ".tar", ".arrow", ".jsonl", ".json", ".csv", ".tsv"):
        if found := _files(source, f"**/*{suffix}"):
            return Layout(source, [(_split_of(path), path) for path in found])
    raise SourceError(str(source), "holds no rows", f"files of one of {', '.join(MODULES)}")


def _files(source: Path, pattern: str) -> list[Path]:
    """Matching files that are no bookkeeping of a cache, in order of their names."""
    found = []
    for path in source.glob(pattern):
        parts = path.relative_to(source).parts
        if path.is_file() and not any(part.startswith(".") for part in parts) and path.name != "dataset_info.json":
            inside(source, str(path.relative_to(source)), str(source))
            found.append(path)
        if len(found) > MAX_FILES:
            raise SourceError(str(source), f"more than {MAX_FILES:,} files", "a data set of fewer")
    return sorted(found)


def _split_of(path: Path) -> str:
    """`train` of train-00000-of-00003.parquet, train-000012.tar and train/metadata.jsonl; else the name itself."""
    if path.stem == "metadata":
        return path.parent.name
    shard = _SHARD.match(path.stem)
    return (shard["split"] or shard["part"]) if shard else path.stem


def _splits(source: Path) -> list[str]:
    found = _json(source / "dataset_dict.json").get("splits")
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise SourceError(str(source / "dataset_dict.json"), "names no splits", '{"splits": [...]}')
    return found


def _saved(folder: Path, split: str, root: Path) -> list[tuple[str, Path]]:
    """The files of a split that `save_to_disk` wrote."""
    where = folder / "state.json"
    inside(root, str(where.relative_to(root)), str(where))
    files = _json(where).get("_data_files")
    if not isinstance(files, list) or not all(isinstance(file, dict) for file in files):
        raise SourceError(str(where), "names no files", '{"_data_files": [{"filename": ...}]}')
    return [(split, inside(folder, str(file.get("filename")), str(where))) for file in files]


def _json(path: Path) -> dict[str, object]:
    try:
        found = json.loads(storage.read_bytes(str(path), _MAX_STATE_BYTES))
    except (ValueError, RecursionError) as error:
        raise SourceError(str(path), f"not JSON ({error})", "what `save_to_disk` writes") from error
    return found if isinstance(found, dict) else {}
