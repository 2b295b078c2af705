"""An anchor: whole tensors as one byte string in chunks. Pure: no connection."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import xxhash

from earwitness.weights.chunks import Joined, split
from earwitness.weights.errors import ChecksumError
from earwitness.weights.names import CHUNK_BYTES
from earwitness.wire.weights.v1.weights_pb2 import Manifest, TensorEntry

Buffer = memoryview | np.ndarray
"""The bytes of one tensor: C-contiguous, of any element type."""

Tensor = tuple[str, str, Sequence[int], Buffer]
"""Hugging Face name, dtype, shape, bytes."""

DTYPE_BYTES = {"float32": 4, "bfloat16": 2}
"""Element types of a version, and their sizes."""


def encode(
    tensors: Iterable[Tensor], entries: list[TensorEntry], chunk_bytes: int = CHUNK_BYTES
) -> Iterator[bytes | memoryview]:
    """The chunks, in order; each tensor's entry is appended to `entries` as it is drawn.

    A tensor's bytes must stay as they are until its chunks have been sent. Raises `ValueError` for a tensor that is
    not what it says.
    """
    return split(_bytes_of(tensors, entries), chunk_bytes)


def decode(
    manifest: Manifest, chunks: Iterable[bytes | memoryview], memory: Mapping[str, np.ndarray] | None = None
) -> Iterator[tuple[TensorEntry, np.ndarray]]:
    """The tensors, in order, as uint8 buffers [nbytes], each verified. Raises `ChecksumError`.

    Where `memory` has a buffer of the tensor's name and size, the tensor comes into it: fresh pages are slow.
    """
    joined = Joined(chunks)
    for entry in manifest.tensors:
        buffer = memory.get(entry.name) if memory else None
        if buffer is None or buffer.nbytes != entry.nbytes:
            buffer = np.empty(entry.nbytes, np.uint8)
        if not joined.fill(buffer):
            problem = f"the chunks end before tensor {entry.name} does"
            raise ChecksumError(manifest.lineage, manifest.version, problem)
        verify(manifest, entry, buffer)
        yield entry, buffer


def verify(manifest: Manifest, entry: TensorEntry, buffer: np.ndarray) -> None:
    """Raises `ChecksumError` unless the bytes of the tensor are the version's."""
    if xxhash.xxh3_128_digest(buffer.data) != entry.xxh3_128:
        raise ChecksumError(manifest.lineage, manifest.version, f"tensor {entry.name} does not match its xxh3-128")


def checked(tensors: Iterable[Tensor]) -> Iterator[tuple[str, str, Sequence[int], memoryview]]:
    """The tensors with their bytes as views of type "B". Raises `ValueError` for one that is not what it says."""
    names = set()
    for name, dtype, shape, buffer in tensors:
        view = _as_bytes(buffer)
        if name in names:
            raise ValueError(f"tensor {name} comes twice")
        if dtype not in DTYPE_BYTES:
            raise ValueError(f"tensor {name} has dtype {dtype}; expected one of {', '.join(DTYPE_BYTES)}")
        if view.nbytes != math.prod(shape) * DTYPE_BYTES[dtype]:
            raise ValueError(f"tensor {name} has {view.nbytes} bytes; expected those of {dtype} {tuple(shape)}")
        names.add(name)
        yield name, dtype, shape, view


def _bytes_of(tensors: Iterable[Tensor], entries: list[TensorEntry]) -> Iterator[memoryview]:
    offset = 0
    for name, dtype, shape, view in checked(tensors):
        entries.append(
            TensorEntry(
                name=name, dtype=dtype, shape=list(shape), offset=offset, nbytes=view.nbytes,
                xxh3_128=xxhash.xxh3_128_digest(view),
            )
        )  # fmt: skip
        offset += view.nbytes
        yield view


def _as_bytes(buffer: Buffer) -> memoryview:
    if buffer.nbytes == 0:
        return memoryview(b"")  # a view of zero elements cannot be cast
    if isinstance(buffer, np.ndarray):
        if not buffer.flags.c_contiguous:
            raise ValueError("a tensor's bytes must be contiguous")
        return buffer.reshape(-1).view(np.uint8).data
    return buffer.cast("B")
