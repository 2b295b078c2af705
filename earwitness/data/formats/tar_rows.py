"""Tar shards as webdataset writes them: files that share a name up to its first dot are one row."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from earwitness.audio import MAX_BYTES
from earwitness.data.fields import AUDIO_SUFFIXES, OTHER_SOUND
from earwitness.data.question import SourceError
from earwitness.errors import shown
from earwitness.json_text import parsed
from earwitness.manifest import unique_keys

MAX_TEXT_BYTES = 1024 * 1024
"""Largest member that is not sound."""


def rows(path: Path, *, with_sound: bool) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each key with its members: `json` members give their fields, sounds stand under `audio`, a list of them where
    there are several, and others under their suffix."""
    key, fields, sounds, seen = "", dict[str, Any](), list[Mapping[str, Any]](), set[str]()
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if member.isdir() or name.name.startswith("."):  # macOS packs a file of its own beside each
                    continue
                _check(member, name, path)
                stem, _, suffix = name.name.partition(".")
                if (found := f"{name.parent / stem}") != key:
                    if key:
                        yield f"member {key}", _row(key, fields, sounds)
                    if found in seen:
                        problem = "stands apart from the files of its row"
                        raise SourceError(_place(path, member), problem, "rows one behind the other (tar --sort=name)")
                    key, fields, sounds = found, {}, []
                    seen.add(key)
                if _is_sound(suffix):
                    sounds.append(_sound(tar, member, with_sound=with_sound))
                else:
                    _add(fields, _read(tar, member, suffix.lower(), path), _place(path, member))
            if key:
                yield f"member {key}", _row(key, fields, sounds)
    except (tarfile.TarError, EOFError) as error:
        raise SourceError(str(path), f"is damaged ({error})", "a whole tar file, not compressed") from error


def _check(member: tarfile.TarInfo, name: PurePosixPath, path: Path) -> None:
    """Refuses what leads out of the archive, and sizes that no clip has, before anything of it is read."""
    where = _place(path, member)
    if name.is_absolute() or ".." in name.parts:
        raise SourceError(where, "leads out of the folder", "names within the archive")
    if not member.isreg() or member.issparse():
        raise SourceError(where, "is a link, a device or has holes", "plain files")
    most = MAX_BYTES if _is_sound(member.name) else MAX_TEXT_BYTES
    if member.size > most:
        raise SourceError(where, f"claims {member.size:,} bytes", f"at most {most:,}")
    if member.offset_data + member.size > path.stat().st_size:
        raise SourceError(where, f"claims {member.size:,} bytes, but the file ends before", "a whole tar file")


def _place(path: Path, member: tarfile.TarInfo) -> str:
    return f"{path}, member {shown(member.name)}"


def _is_sound(name: str) -> bool:
    return f".{name.rpartition('.')[2].lower()}" in (*AUDIO_SUFFIXES, *OTHER_SOUND)


def _row(key: str, fields: Mapping[str, Any], sounds: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """What the archive holds is its sound, whatever a field of that name says of where it once was."""
    found = {"id": key, **fields}
    return {**found, "audio": sounds[0] if len(sounds) == 1 else sounds} if sounds else found


def _add(fields: dict[str, Any], more: Mapping[str, Any], where: str) -> None:
    """Raises SourceError where two members say different things: dots within a name end it, so two rows may be one."""
    for name, value in more.items():
        if name in fields and fields[name] != value:
            problem = f"says another {shown(name)} than a member before it of the same row"
            raise SourceError(where, problem, "names that differ before their first dot")
    fields |= more


def _sound(tar: tarfile.TarFile, member: tarfile.TarInfo, *, with_sound: bool) -> Mapping[str, Any]:
    return {"path": member.name, "bytes": _data(tar, member)} if with_sound else {"path": member.name, "held": True}


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo, suffix: str, path: Path) -> Mapping[str, Any]:
    """The fields of JSON; text, or else bytes, under the suffix."""
    data, is_json = _data(tar, member), suffix.rpartition(".")[2] == "json"
    try:
        words = data.decode("utf-8-sig")
        if not is_json:
            return {suffix: words.strip()}
        record = parsed(words, object_pairs_hook=unique_keys)
    except ValueError as error:
        if not is_json:
            return {suffix: data}
        raise SourceError(_place(path, member), f"is not JSON ({error})", "JSON in UTF-8") from error
    return record if isinstance(record, dict) else {suffix: record}


def _data(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return file.read() if file else b""
