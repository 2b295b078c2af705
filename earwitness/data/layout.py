"""Where the rows of a data set lie: a file, or a folder as the hub, `datasets` and shards are laid out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from earwitness import storage
from earwitness.data.formats import MODULES, read
from earwitness.data.inside import inside
from earwitness.data.question import Row, SourceError
from earwitness.errors import shown
from earwitness.json_text import parsed

MAX_FILES = 100_000
"""Most files of one data set: shards of terabytes are some ten thousand."""
_SHARD = re.compile(r"^(?P<split>.+?)-\d{5}-of-\d{5}(?:-[0-9a-f]{16})?$|^(?P<part>.*?[^\d_-])[-_]?\d{4,}$")
_NUMBERED = re.compile(r"\d+")
_KEPT_BESIDE = re.compile(r"dataset_infos?\.json$|state\.json$|cache-[0-9a-f]+.*\.arrow$")
"""What `datasets` keeps beside the rows: what is known of them, and what was once computed of them."""
_READ_FIRST = (".parquet", ".tar", ".arrow", ".jsonl", ".json", ".csv", ".tsv")
"""Suffixes of rows; of several in a folder the first is read."""
_PACKED = (".gz", ".tgz", ".zst", ".bz2", ".xz", ".zip", ".7z", ".rar")
_MAX_STATE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class RowFiles:
    """The files of a source."""

    root: Path
    """The folder that everything lies in."""
    files: Sequence[tuple[str, Path]]
    """(split, file with rows), in order."""

    def rows(self, *, with_sound: bool) -> Iterator[Row]:
        """Every row. Raises SourceError."""
        numbers = Counter[str]()
        for split, path in self.files:
            for place, fields in read(path, with_sound=with_sound):
                numbers[split] += 1
                yield Row(f"{path.name}, {place}", fields, split, path.parent, numbers[split])


def lay_out(source: Path, preferred: Sequence[str] = ()) -> RowFiles:
    """The files of `source`; in a folder the first of `preferred` (patterns) that is there. Raises SourceError."""
    if not source.exists():
        raise SourceError(str(source), "no such file or folder", "a data set on disk")
    if not source.is_dir() and not source.is_file():
        raise SourceError(str(source), "is a device, a pipe or a socket", "a regular file")
    if source.is_file():
        if source.suffix.lower() in _PACKED:
            raise SourceError(str(source), "is packed", "the file or folder that is in it, unpacked")
        return RowFiles(source.parent, [(_split_of(source), source)])
    if (source / "dataset_dict.json").is_file():
        return RowFiles(source, [pair for split in _splits(source) for pair in _saved(source / split, split, source)])
    if (source / "state.json").is_file():
        return RowFiles(source, _saved(source, "", source))
    for pattern in (*preferred, "**/metadata.jsonl", "**/metadata.csv", "**/metadata.parquet"):
        if found := _files(source, pattern):
            return RowFiles(source, [(_split_of(path), path) for path in found])
    known = _files(source, "**/*", _READ_FIRST)
    for suffix in _READ_FIRST:
        if found := [path for path in known if path.suffix.lower() == suffix]:
            return RowFiles(source, [(_split_of(path), path) for path in found])
    packed = [path.name for path in _files(source, "**/*", _PACKED)]
    problem = f"holds no rows but what is packed in {shown(packed[0])}" if packed else "holds no rows"
    raise SourceError(str(source), problem, f"files of one of {', '.join(MODULES)}, unpacked")


def _files(source: Path, pattern: str, suffixes: Sequence[str] = ()) -> list[Path]:
    """Matching files that are no bookkeeping of a cache, in order of their names; of `suffixes`, if there are any."""
    found = []
    for path in source.glob(pattern):
        if suffixes and path.suffix.lower() not in suffixes:
            continue
        parts = path.relative_to(source).parts
        if path.is_file() and not any(part.startswith(".") for part in parts) and not _KEPT_BESIDE.match(path.name):
            inside(source, str(path.relative_to(source)), str(source))
            found.append(path)
        if len(found) > MAX_FILES:
            raise SourceError(str(source), f"more than {MAX_FILES:,} files", "a data set of fewer")
    return sorted(found)


def _split_of(path: Path) -> str:
    """`train` of train-00000-of-00003.parquet, train-000012.tar, train/metadata.jsonl and train/0000.parquet; else the
    name itself."""
    if path.stem == "metadata" or _NUMBERED.fullmatch(path.stem):
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
        found = parsed(storage.read_bytes(str(path), _MAX_STATE_BYTES))
    except ValueError as error:
        raise SourceError(str(path), f"not JSON ({error})", "what `save_to_disk` writes") from error
    return found if isinstance(found, dict) else {}
