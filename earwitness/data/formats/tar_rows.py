"""Tar shards as webdataset writes them: files that share a name up to its first dot are one row."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from earwitness.audio import MAX_BYTES
from earwitness.data.fields import AUDIO_SUFFIXES
from earwitness.data.question import SourceError
from earwitness.errors import shown

MAX_TEXT_BYTES = 1024 * 1024
"""Largest member that is not sound."""


def rows(path: Path, *, with_sound: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each key with its members: `json` members give their fields, others stand under their suffix."""
    key, fields = "", dict[str, Any]()
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if member.isdir():
                    continue
                name = PurePosixPath(member.name)
                _check(member, name, path)
                stem, _, suffix = name.name.partition(".")
                if (found := f"{name.parent / stem}") != key:
                    if fields:
                        yield f"member {key}", fields
                    key, fields = found, {"id": found}
                fields |= _field(tar, member, suffix.lower(), path, with_sound=with_sound)
            if fields:
                yield f"member {key}", fields
    except (tarfile.TarError, EOFError) as error:
        raise SourceError(str(path), f"is damaged ({error})", "a whole tar file, not compressed") from error


def _check(member: tarfile.TarInfo, name: PurePosixPath, path: Path) -> None:
    """Refuses what leads out of the archive, and sizes that no clip has, before anything of it is read."""
    where = f"{path}, member {shown(member.name)}"
    if name.is_absolute() or ".." in name.parts:
        raise SourceError(where, "leads out of the folder", "names within the archive")
    if not member.isreg() or member.issparse():
        raise SourceError(where, "is a link, a device or has holes", "plain files")
    most = MAX_BYTES if f".{member.name.rpartition('.')[2].lower()}" in AUDIO_SUFFIXES else MAX_TEXT_BYTES
    if member.size > most:
        raise SourceError(where, f"claims {member.size:,} bytes", f"at most {most:,}")
    if member.offset_data + member.size > path.stat().st_size:
        raise SourceError(where, f"claims {member.size:,} bytes, but the file ends before", "a whole tar file")


def _field(
    tar: tarfile.TarFile, member: tarfile.TarInfo, suffix: str, path: Path, *, with_sound: bool
) -> dict[str, Any]:
    is_sound = f".{suffix.rpartition('.')[2]}" in AUDIO_SUFFIXES
    if is_sound and not with_sound:
        return {"audio": {"path": member.name, "held": True}}
    file = tar.extractfile(member)
    data = file.read() if file else b""
    if is_sound:
        return {"audio": {"path": member.name, "bytes": data}}
    try:
        words = data.decode("utf-8-sig")
        if suffix.rpartition(".")[2] != "json":
            return {suffix: words.strip()}
        record = json.loads(words)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path}, member {shown(member.name)}", f"is not text ({error})", "JSON or UTF-8") from error
    # What the archive holds is its sound, whatever a field of that name says of where it once was.
    return {k: v for k, v in record.items() if k != "audio"} if isinstance(record, dict) else {suffix: record}
