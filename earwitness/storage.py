"""Files by URI: a local path, or an fsspec URI of a kind that jobs may use."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

import fsspec

from earwitness.errors import InputError, shown

SCHEMES = ("file", "s3", "gs", "abfs", "memory")
"""Only plain stores. fsspec knows more (`reference`, `github`, `ssh`, chains with `::`), some of which run templates or
reach hosts of the job's choice."""


def open_store(uri: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system of a URI and the path within it. Raises InputError for a scheme that is not in `SCHEMES`."""
    check_scheme(uri)
    fs, path = fsspec.core.url_to_fs(uri)
    return fs, path


def check_scheme(uri: str) -> None:
    """Raises InputError if the URI is of a kind that jobs may not use."""
    scheme, separator, _ = uri.partition("://")
    if (separator and scheme not in SCHEMES) or "::" in uri:
        raise InputError(shown(uri), "this kind of URI is not supported", f"a path, or one of {', '.join(SCHEMES)}://")


def is_absolute(uri: str) -> bool:
    """True if the URI means the same from every folder and machine that shares the store."""
    return "://" in uri or os.path.isabs(uri)


def parent(uri: str) -> str:
    """The folder of a file, without the final slash (`.` for a bare name)."""
    scheme, separator, path = uri.rpartition("://")
    return f"{scheme}{separator}{PurePosixPath(path).parent}"


def join(folder: str, path: str) -> str:
    """`path` from `folder`; an absolute path or a URI stands for itself."""
    return path if is_absolute(path) else f"{folder.rstrip('/')}/{path}"
