"""Files that people put onto the mesh's volume, piece by piece: nothing is in its place before all of it is right."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from contextlib import suppress
from io import BufferedIOBase
from pathlib import Path

import xxhash

from earwitness.errors import InfrastructureError, InputError, shown
from earwitness.storage import MAX_URI_CHARS, check_scheme

DIGEST_BYTES = 16
"""Of an xxh3-128."""


NO_PLACE = (errno.EISDIR, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST, errno.ELOOP)
"""What is wrong with the name of a file, not with the disk."""


class Uploads:
    """Takes files below `root`. Several callers may send the same file: each piece is written once, in order."""

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.realpath(root))

    def put(self, path: str, size: int, digest: bytes, offset: int, data: bytes) -> int:
        """Add `data` if the file has come as far as `offset`; returns the bytes that are here, `size` for all.

        A piece that was written although its answer was lost is so found out by whoever sends it again. The last one
        puts the file in its place, over an older one of that name. Raises InputError, and InfrastructureError for a
        disk that does not take it.
        """
        if len(digest) != DIGEST_BYTES:
            raise InputError("xxh3_128", f"{len(digest)} bytes", f"{DIGEST_BYTES}")
        if offset + len(data) > size:
            raise InputError("data", f"{offset + len(data)} bytes with these", f"at most {size}, the size of the file")
        target = self._inside(path)
        # The name says whose pieces these are: of this path and of this content.
        partial = target.with_name(f".{xxhash.xxh3_128_hexdigest(target.name.encode() + digest)}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if offset == 0 and data:
                partial.touch()
            elif not partial.exists():
                if size == 0:
                    partial.touch()
                else:
                    return size if _is(target, size, digest) else 0
            return _add(partial, target, size, digest, offset, data)
        except OSError as error:
            words = os.strerror(error.errno) if error.errno else str(error)
            if error.errno in NO_PLACE:
                raise InputError(path, words, "the path of a file") from error
            raise InfrastructureError(f"{path} to be written", 0.0, words) from error

    def _inside(self, path: str) -> Path:
        check_scheme(path)
        if not path or "://" in path or path.endswith("/"):
            raise InputError("path", shown(path), f"the path of a file, at most {MAX_URI_CHARS} characters")
        target = self._root / path
        # Links are followed first: what counts is where the file would lie.
        real = Path(os.path.realpath(target.parent)) / target.name
        if target.name in ("", "..") or not real.is_relative_to(self._root):
            raise InputError("path", f"{shown(path)} is not within {self._root}", "a path below that folder")
        if real.is_dir():
            raise InputError("path", f"{shown(path)} is a folder", "the path of a file")
        return real


def _add(partial: Path, target: Path, size: int, digest: bytes, offset: int, data: bytes) -> int:
    with suppress(FileNotFoundError), partial.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        held = file.seek(0, os.SEEK_END)
        if held == offset and partial.exists():  # not put in its place while the lock was waited for
            file.write(data)
            held += len(data)
        if held < size:
            return held
        file.flush()
        os.fsync(file.fileno())
        if _digest(file) != digest:
            partial.unlink(missing_ok=True)
            raise InputError(str(target), "is not what its checksum says", "the same file from begin to end; again")
        partial.replace(target)
        return size
    return size if _is(target, size, digest) else 0


def _is(target: Path, size: int, digest: bytes) -> bool:
    """True if `target` is that file already."""
    if not target.is_file() or target.stat().st_size != size:
        return False
    with target.open("rb") as file:
        return _digest(file) == digest


def _digest(file: BufferedIOBase) -> bytes:
    file.seek(0)
    return hashlib.file_digest(file, xxhash.xxh3_128).digest()
