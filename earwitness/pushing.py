"""Copies a file, or a folder with all that is below it, to the mesh's volume; goes on where it was cut off."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import xxhash

from earwitness.errors import InputError
from earwitness.parallel import in_parallel
from earwitness.storage import StorageError, store, typed

PIECE_BYTES = 4 * 1024 * 1024
"""Sent in one call, the most that the service takes: a cluster's API may be 50 ms away."""

FILES_AT_A_TIME = 8
"""Many clips are small: their calls wait for the way, not for the bytes."""

Put = Callable[[str, int, bytes, int, bytes], int]
"""`Mesh.put_file`: path, size, checksum, offset and bytes; how far the file has come."""


@dataclass(frozen=True)
class Pushed:
    """What a push came to."""

    files: int
    bytes: int
    """Of all files."""
    sent: int
    """Bytes that were not there yet."""


def push(source: str, folder: str, put: Put, told: Callable[[int, int], None] = lambda done, total: None) -> Pushed:
    """Copy what is at `source` (a path, or a URI that fsspec reads) into `folder` of the mesh's volume.

    A single file keeps its name; names that begin with a dot are left out. Each file is read twice, once for its
    xxh3-128, by which the service knows it again and checks it. `told` gets bytes done and bytes in all. Raises
    StorageError, InputError, and what `put` raises.
    """
    fs, files = _files(source)
    total, lock, done, sent = sum(file.size for file in files), threading.Lock(), 0, 0

    def moved(count: int, new: bool) -> None:
        nonlocal done, sent
        with lock:
            done += count
            sent += count if new else 0
            told(done, total)

    def one(file: _File) -> None:
        with typed(file.uri):
            _send(fs, file, f"{folder.rstrip('/')}/{file.name}", put, moved)

    for _ in in_parallel(one, files, FILES_AT_A_TIME):
        pass
    return Pushed(len(files), total, sent)


@dataclass(frozen=True)
class _File:
    uri: str
    """As its store names it."""
    name: str
    """Below the folder that is pushed."""
    size: int


def _files(source: str) -> tuple[Any, list[_File]]:
    """The store, and what is to be pushed from it, by name."""
    fs, root = store(source)
    with typed(source):
        if fs.isfile(root):
            return fs, [_File(root, PurePosixPath(root).name, fs.info(root)["size"])]
        files = []
        for uri in sorted(fs.find(root)):
            name = PurePosixPath(uri).relative_to(root)
            if any(part.startswith(".") for part in name.parts):
                continue
            if not fs.isfile(uri):
                raise StorageError(uri, "is a link to a folder, or to nothing", "files, folders, links to files")
            files.append(_File(uri, str(name), fs.info(uri)["size"]))
    if not files:
        raise StorageError(source, "holds no file", "a file, or a folder with files")
    return fs, files


def _send(fs: Any, file: _File, target: str, put: Put, moved: Callable[[int, bool], None]) -> None:
    with fs.open(file.uri, "rb") as content:
        whole = xxhash.xxh3_128()
        while piece := content.read(PIECE_BYTES):
            whole.update(piece)
        held = put(target, file.size, whole.digest(), 0, b"")
        moved(held, False)
        while held < file.size:
            content.seek(held)
            piece = content.read(PIECE_BYTES)
            if not piece:
                raise InputError(file.uri, f"ends at {held} of {file.size} bytes", "a file that nobody writes to")
            now = put(target, file.size, whole.digest(), held, piece)
            moved(now - held, True)
            held = now
