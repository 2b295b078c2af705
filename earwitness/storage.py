"""Files by URI: a local path, or an fsspec URI of a kind that jobs may use."""

from __future__ import annotations

import errno
import io
import os
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from earwitness.errors import EarwitnessError, InfrastructureError, InputError, shown

if TYPE_CHECKING:
    import fsspec
    from _typeshed import WriteableBuffer

SCHEMES = ("file", "s3", "gs", "abfs", "memory")
"""Only plain stores. fsspec knows more (`reference`, `github`, `ssh`, chains with `::`), some of which run templates or
reach hosts of the job's choice."""


class StorageError(InputError):
    """A URI that cannot be opened; `field` is the URI."""


def store(uri: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a URI and the path within it. Raises StorageError for a URI that jobs may not use."""
    import fsspec  # takes longer than all that reads a local file

    check_scheme(uri)
    local = _local(uri)
    try:
        fs, path = fsspec.core.url_to_fs(uri if local is None else str(local))
    except ImportError as error:
        raise StorageError(
            uri, f"needs a package that is not installed ({error})", "a store this machine can open"
        ) from error
    return fs, path


def local_path(uri: str | Path) -> Path:
    """The path of what must lie on a file system: a plain path, or a `file://` URI (RFC 8089), where %20 is a space.

    Raises StorageError for other stores.
    """
    local = _local(str(uri))
    if local is None:
        raise StorageError(str(uri), "is not on a file system", "a path on a volume that the mesh shares")
    return local


def _local(uri: str) -> Path | None:
    """None for what is not on a file system."""
    if uri.startswith("file://"):
        return Path(unquote(uri.removeprefix("file://")))
    return None if "://" in uri else Path(uri).expanduser()


def open_to_read(uri: str) -> io.BufferedReader:
    """The file at `uri`, buffered: `readline(limit)` keeps to its limit on every store. Raises StorageError."""
    check_scheme(uri)
    local = _local(uri)
    with typed(uri):
        if local is not None and not (stat.S_ISREG(mode := local.stat().st_mode) or stat.S_ISDIR(mode)):
            # Opening it might wait for ever.
            raise StorageError(uri, "is a device, a pipe or a socket", "a regular file")
        return io.BufferedReader(_Typed(uri, local.open("rb", buffering=0) if local else _opened(uri)))


def _opened(uri: str) -> Any:
    fs, path = store(uri)
    return fs.open(path, "rb")


AWAY = (
    errno.EAGAIN, errno.EBUSY, errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.EMFILE,
    errno.ENETUNREACH, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT,
)  # fmt: skip
"""What a store or this machine lacks for the moment, whatever the file."""


@contextmanager
def typed(uri: str) -> Iterator[None]:
    """Gives every error of a store a kind: the URI's (StorageError), or the store's (InfrastructureError)."""
    try:
        yield
    except EarwitnessError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StorageError(uri, "no such file", "the path of a file") from error
    except OSError as error:
        words = os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
        if isinstance(error, ConnectionError | TimeoutError) or error.errno in AWAY:
            raise InfrastructureError(uri, 0.0, words) from error
        raise StorageError(uri, f"cannot be read ({words})", "a readable file") from error
    except Exception as error:  # the drivers of remote stores raise what their libraries raise
        raise InfrastructureError(uri, 0.0, f"{type(error).__name__}: {error}") from error


class _Typed(io.RawIOBase):
    """A file whose errors have a kind also while it is read."""

    def __init__(self, uri: str, file: Any) -> None:
        self._uri = uri
        self._file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def seek(self, offset: int, whence: int = 0) -> int:
        with typed(self._uri):
            return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: WriteableBuffer) -> int:
        with typed(self._uri):
            return int(self._file.readinto(buffer) or 0)

    def close(self) -> None:
        self._file.close()
        super().close()


def read_bytes(uri: str, limit: int) -> bytes:
    """The bytes of the file at `uri`, at most `limit` of them. Raises StorageError."""
    with open_to_read(uri) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise StorageError(uri, f"larger than {limit // 1024} KiB", f"at most {limit // 1024} KiB")
    return data


MAX_URI_CHARS = 4096
"""Longest URI: what Linux calls PATH_MAX."""
NO_NAMES = ("Cc", "Cs", "Zl", "Zp")
"""Kinds of characters that no name may have: controls, halves of pairs, ends of lines and paragraphs. Spaces of every
width and joiners are common: screenshots are named with a narrow space, and families of emoji are joined."""


def check_scheme(uri: str) -> None:
    """Raises StorageError if the URI is of a kind that jobs may not use, or cannot be a path at all."""
    scheme, separator, place = uri.partition("://")
    if uri and not (place if separator else uri).strip():
        raise StorageError(shown(uri), "names no place", "a path, or a URI with one")
    if (separator and scheme not in SCHEMES) or "::" in uri:
        raise StorageError(
            shown(uri), "this kind of URI is not supported", f"a path, or one of {', '.join(SCHEMES)}://"
        )
    if len(uri) > MAX_URI_CHARS or any(unicodedata.category(character) in NO_NAMES for character in uri):
        raise StorageError(shown(uri), "not a path", f"printable characters, at most {MAX_URI_CHARS}")


def is_absolute(uri: str) -> bool:
    """True if the URI means the same from every folder and machine that shares the store."""
    return "://" in uri or uri.startswith("/")


def absolute(uri: str, base_dir: str) -> str:
    """The URI, a relative path resolved from the local folder `base_dir`, and one with `~/` from the home folder."""
    if is_absolute(uri):
        return uri
    start = Path.home() if uri.startswith("~/") else Path(base_dir).absolute()
    return os.path.normpath(start / uri.removeprefix("~/"))


def parent(uri: str) -> str:
    """The folder of a file, without the final slash (`.` for a bare name)."""
    scheme, separator, path = uri.rpartition("://")
    return f"{scheme}{separator}{PurePosixPath(path).parent}"


def join(folder: str, path: str) -> str:
    """`path` from `folder`; an absolute path or a URI stands for itself."""
    return path if is_absolute(path) else f"{folder.rstrip('/')}/{path}"
