"""One copy of the weights for all processes of an engine on a machine.

The first process fetches into memory without a name (`memfd_create`, Linux); the others map the same pages through the
first one's `/proc/<pid>/fd`. The kernel frees it with the last of them, however they end. Who writes and who reads is
settled by the engine: a version is fetched before it is loaded, and loaded by all before the next is fetched.

    bytes of the table, uint64 | table: JSON, [[name, dtype, shape, offset], ...] | tensors, each at a multiple of 64
"""

from __future__ import annotations

import json
import math
import mmap
import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from earwitness.weights import Held, Layout
from earwitness.weights.tensors import ELEMENTS

HEAD = struct.Struct("<Q")
ALIGNMENT = 64
"""Bytes: a line of the cache, and what torch aligns its own tensors to."""


class SharedMemory:
    """Room for tensors of a layout, in the process that writes them."""

    def __init__(self, layout: Layout) -> None:
        """Raises `OSError` if there is not enough memory."""
        self.layout = layout
        table, size = _table(layout)
        self._file = os.memfd_create("earwitness-weights")
        os.posix_fallocate(self._file, 0, size)  # all pages at once: one by one, at first touch, takes longer
        memory = mmap.mmap(self._file, size)
        memory[: len(table)] = table
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


def _table(layout: Layout) -> tuple[bytes, int]:
    """Head and table, and the bytes of all."""

    def placed(start: int) -> tuple[bytes, int]:
        rows, offset = [], start
        for name, dtype, shape in layout:
            rows.append([name, dtype, shape, offset])
            offset += _aligned(math.prod(shape) * ELEMENTS[dtype].itemsize)
        return json.dumps(rows).encode(), offset

    longest, _ = placed(1 << 60)  # offsets have fewer digits
    table, size = placed(_aligned(HEAD.size + len(longest)))
    return HEAD.pack(len(table)) + table, size


def _tensors(memory: mmap.mmap) -> dict[str, Held]:
    data = np.frombuffer(memory, np.uint8)
    (length,) = HEAD.unpack_from(memory)
    found = {}
    for name, dtype, shape, offset in json.loads(memory[HEAD.size : HEAD.size + length]):
        nbytes = math.prod(shape) * ELEMENTS[dtype].itemsize
        found[name] = Held(dtype, tuple(shape), data[offset : offset + nbytes])
    return found


def _aligned(nbytes: int) -> int:
    return -(-nbytes // ALIGNMENT) * ALIGNMENT
