"""One copy of the weights for all processes of an engine on a machine.

The first process fetches into memory without a name (`memfd_create`, Linux); the others map the same pages through the
first one's `/proc/<pid>/fd`. The kernel frees it with the last of them, however they end. Who writes and who reads is
settled by the engine: a version is fetched before it is loaded, and loaded by all before the next is fetched.

    bytes of the table, uint64 | table: JSON, [[name, dtype, shape], ...] | tensors in that order, each at 64 · n
"""

from __future__ import annotations

import json
import mmap
import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from earwitness.weights import Held, Signature
from earwitness.weights.tensors import size_of

HEAD = struct.Struct("<Q")
ALIGNMENT = 64
"""Bytes: a line of the cache, and what torch aligns its own tensors to."""


class SharedMemory:
    """Room for tensors of a layout, in the process that writes them."""

    def __init__(self, layout: Signature) -> None:
        """Raises `OSError` if there is not enough memory."""
        self.layout = layout
        table = json.dumps(layout).encode()
        size = _first(len(table)) + sum(_aligned(size_of(dtype, shape)) for _, dtype, shape in layout)
        self._file = os.memfd_create("earwitness-weights")
        os.posix_fallocate(self._file, 0, size)  # all pages at once: one by one, at first touch, takes longer
        memory = mmap.mmap(self._file, size)
        memory[: HEAD.size + len(table)] = HEAD.pack(len(table)) + table
        self.tensors = _tensors(memory)
        """By name."""

    @property
    def address(self) -> str:
        """For `mapped` in another process of this machine."""
        inode = os.fstat(self._file).st_ino  # file numbers are used again
        return f"{socket.gethostname()} {os.getpid()} {self._file} {inode}"

    def __del__(self) -> None:
        os.close(self._file)


def mapped(addresses: Iterable[str]) -> dict[str, Held]:
    """The tensors by name, in the memory of that process of `addresses` which is on this machine; not to be written.

    Raises `RuntimeError` if there is none or it has ended.
    """
    here = socket.gethostname()
    for address in addresses:
        host, pid, file, _ = address.split(" ")
        if host == here:
            try:  # to be written, or torch warns
                descriptor = os.open(Path("/proc", pid, "fd", file), os.O_RDWR)
            except OSError as error:
                raise RuntimeError(f"the weights in process {pid} cannot be mapped: {error}") from error
            try:
                return _tensors(mmap.mmap(descriptor, os.fstat(descriptor).st_size))
            finally:
                os.close(descriptor)
    raise RuntimeError(f"no process of {here} holds the weights")


def _tensors(memory: mmap.mmap) -> dict[str, Held]:
    data = np.frombuffer(memory, np.uint8)
    (length,) = HEAD.unpack_from(memory)
    offset = _first(length)
    found = {}
    for name, dtype, shape in json.loads(memory[HEAD.size : HEAD.size + length]):
        nbytes = size_of(dtype, shape)
        found[name] = Held(dtype, tuple(shape), data[offset : offset + nbytes])
        offset += _aligned(nbytes)
    return found


def _first(table_bytes: int) -> int:
    """Where the first tensor is."""
    return _aligned(HEAD.size + table_bytes)


def _aligned(nbytes: int) -> int:
    return -(-nbytes // ALIGNMENT) * ALIGNMENT
