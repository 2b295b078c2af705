"""An anchor: whole tensors as one byte string in chunks. Pure: no connection.

A delta would be a second module with the same two functions: tensors to chunks, chunks to tensors.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import xxhash

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

    A chunk inside one tensor is a view of it; only one that spans tensors is copied. So a tensor's bytes must stay
    as they are until its chunks have been sent. Raises `ValueError` for a tensor that is not what it says.
    """
    parts: list[memoryview] = []
    room = chunk_bytes
    offset = 0
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
        entries.append(
            TensorEntry(
                name=name, dtype=dtype, shape=list(shape), offset=offset, nbytes=view.nbytes,
                xxh3_128=xxhash.xxh3_128_digest(view),
            )
        )  # fmt: skip
        offset += view.nbytes
        while view.nbytes:
            part, view = view[:room], view[room:]
            parts.append(part)
            room -= part.nbytes
            if room == 0:
                yield parts[0] if len(parts) == 1 else b"".join(parts)
                parts, room = [], chunk_bytes
    if parts:
        yield b"".join(parts)


def decode(manifest: Manifest, chunks: Iterable[bytes | memoryview]) -> Iterator[tuple[TensorEntry, np.ndarray]]:
    """The tensors, in order, as uint8 buffers [nbytes] of their own, each verified. Raises `ChecksumError`.

    The next chunk is drawn when the one before has been copied whole.
    """
    arriving = iter(chunks)
    chunk = memoryview(b"")
    for entry in manifest.tensors:
        buffer = np.empty(entry.nbytes, np.uint8)
        filled = 0
        while filled < entry.nbytes:
            if not chunk.nbytes:
                chunk = memoryview(_next(arriving, manifest, entry))
            part, chunk = chunk[: entry.nbytes - filled], chunk[entry.nbytes - filled :]
            buffer[filled : filled + part.nbytes] = np.frombuffer(part, np.uint8)
            filled += part.nbytes
        if xxhash.xxh3_128_digest(buffer.data) != entry.xxh3_128:
            raise ChecksumError(manifest.lineage, manifest.version, f"tensor {entry.name} does not match its xxh3-128")
        yield entry, buffer


def _next(arriving: Iterator[bytes | memoryview], manifest: Manifest, entry: TensorEntry) -> bytes | memoryview:
    for chunk in arriving:
        if chunk:
            return chunk
    raise ChecksumError(manifest.lineage, manifest.version, f"the chunks end before tensor {entry.name} does")


def _as_bytes(buffer: Buffer) -> memoryview:
    if buffer.nbytes == 0:
        return memoryview(b"")  # a view of zero elements cannot be cast
    if isinstance(buffer, np.ndarray):
        if not buffer.flags.c_contiguous:
            raise ValueError("a tensor's bytes must be contiguous")
        return buffer.reshape(-1).view(np.uint8).data
    return buffer.cast("B")
