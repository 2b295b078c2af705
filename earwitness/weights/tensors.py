"""Tensors as a version holds them: what they must be, and whether they are. Pure: no connection."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import xxhash

from earwitness.weights.errors import ChecksumError
from earwitness.wire.weights.v1.weights_pb2 import Manifest, TensorEntry

Buffer = memoryview | np.ndarray
"""The bytes of one tensor: C-contiguous, of any element type."""

Tensor = tuple[str, str, Sequence[int], Buffer]
"""Hugging Face name, dtype, shape, bytes."""

Checked = tuple[str, str, tuple[int, ...], memoryview]
"""The same, known to be what it says, with its bytes as a view of type "B"."""

ELEMENTS: dict[str, np.dtype] = {"float32": np.dtype("<u4"), "bfloat16": np.dtype("<u2")}
"""Element types of a version, and the type of their bits."""


def checked(tensors: Iterable[Tensor]) -> Iterator[Checked]:
    """The tensors, drawn one by one. Raises `ValueError` for one that is not what it says."""
    names = set()
    for name, dtype, shape, buffer in tensors:
        view = _as_bytes(buffer)
        if name in names:
            raise ValueError(f"tensor {name} comes twice")
        if dtype not in ELEMENTS:
            raise ValueError(f"tensor {name} has dtype {dtype}; expected one of {', '.join(ELEMENTS)}")
        if view.nbytes != size_of(dtype, shape):
            raise ValueError(f"tensor {name} has {view.nbytes} bytes; expected those of {dtype} {tuple(shape)}")
        names.add(name)
        yield name, dtype, tuple(shape), view


def size_of(dtype: str, shape: Sequence[int]) -> int:
    """Bytes of a tensor."""
    return math.prod(shape) * ELEMENTS[dtype].itemsize


def digest(view: memoryview) -> bytes:
    """xxh3-128, 16 bytes, big-endian."""
    return xxhash.xxh3_128_digest(view)


def verify(manifest: Manifest, entry: TensorEntry, buffer: np.ndarray) -> None:
    """Raises `ChecksumError` unless the bytes of the tensor are the version's."""
    if digest(buffer.data) != entry.xxh3_128:
        raise ChecksumError(manifest.lineage, manifest.version, f"tensor {entry.name} does not match its xxh3-128")


def _as_bytes(buffer: Buffer) -> memoryview:
    if buffer.nbytes == 0:
        return memoryview(b"")  # a view of zero elements cannot be cast
    if isinstance(buffer, np.ndarray):
        if not buffer.flags.c_contiguous:
            raise ValueError("a tensor's bytes must be contiguous")
        return buffer.reshape(-1).view(np.uint8).data
    return buffer.cast("B")
