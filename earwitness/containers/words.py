"""What libmpg123 says while it decodes: it has no other way of telling that a frame was damaged, and goes on.

It says it on C's `stderr`, in the middle of what we print. While a clip is decoded that name stands for a stream in
memory; file descriptor 2, which Python and child processes write to, stays what it is. What others of this process say
through C meanwhile is passed on.
"""

from __future__ import annotations

import ctypes
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_OWN = re.compile(rb"^\[[^\]]*libmpg123[^\]]*\] *(.*)$|^(Note: .*)$")
_STDERR = 2

_lock = threading.RLock()
_stream: _Stream | None = None


class Words:
    """Of one clip."""

    def __init__(self, stream: _Stream | None) -> None:
        self._stream = stream

    def take(self) -> list[str]:
        """What was said since the last time, line by line."""
        return self._stream.take() if self._stream else []


class _Stream:
    """A C stream in memory. It is never closed: another thread may just be writing to it."""

    def __init__(self, libc: ctypes.CDLL, stderr: ctypes.c_void_p) -> None:
        self._libc, self.stderr = libc, stderr
        self._text, self._size = ctypes.c_void_p(), ctypes.c_size_t()
        libc.open_memstream.restype = ctypes.c_void_p
        self.address = libc.open_memstream(ctypes.byref(self._text), ctypes.byref(self._size))

    def take(self) -> list[str]:
        here = ctypes.c_void_p(self.address)
        self._libc.fflush(here)
        said = ctypes.string_at(self._text.value, self._size.value) if self._text.value else b""
        self._libc.rewind(here)
        self._size.value = 0  # until something is written it would stay
        own = []
        for line in said.splitlines(keepends=True):
            if found := _OWN.match(line.rstrip(b"\n")):
                own.append((found[1] or found[2]).decode("utf-8", "replace"))
            else:
                os.write(_STDERR, line)
        return own


@contextmanager
def heard() -> Iterator[Words]:
    """The words that are said in the block, for one thread at a time; none where C has no such stream (musl, macOS)."""
    with _lock:
        stream = _made()
        if stream is None:
            yield Words(None)
            return
        before, stream.stderr.value = stream.stderr.value, stream.address
        try:
            yield Words(stream)
        finally:
            stream.take()
            stream.stderr.value = before


def _made() -> _Stream | None:
    global _stream
    if _stream is None:
        libc = ctypes.CDLL(None)
        try:
            stderr = ctypes.c_void_p.in_dll(libc, "stderr")
            made = _Stream(libc, stderr)
        except (ValueError, AttributeError):
            return None
        _stream = made if made.address else None
    return _stream
