"""safetensors files, read a few rows at a time and written in place.

The library maps files into memory and writes whole files; a rank that needs its share of a model of 66 GB, or writes
one, should hold neither. A file is 8 bytes of length, a JSON header with type, shape and place of each tensor, and the
tensors (https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from earwitness.json_text import parsed

INDEX = "model.safetensors.index.json"
"""Says which file holds which tensor, where there are several."""
SINGLE = "model.safetensors"
"""The file of a model that is one file."""
BLOCK_BYTES = 64 << 20
"""Most bytes read at a time: large enough for a network volume's full speed, and all that a rank holds beside its
parameters while it loads."""
MAX_HEADER_BYTES = 100 << 20
"""The limit of the safetensors library; more is a damaged file."""
DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
"""Types that a weight may have."""
ITEM_BYTES = {name: dtype.itemsize for name, dtype in DTYPES.items()} | {
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}  # fmt: skip
"""Types that a tensor may have, with those of parts that are only copied."""


@dataclass(frozen=True)
class Stored:
    """One tensor in a file."""

    dtype: str
    """As the header says it: BF16."""
    shape: tuple[int, ...]
    start: int
    """Its first byte in the file."""
    end: int

    def read(self, file: Path, rows: tuple[int, int], columns: tuple[int, int] | None) -> Iterator[tuple[int, Tensor]]:
        """Blocks of the rows from `rows[0]` to below `rows[1]`, each with its first row, and of them the columns.

        The tensor is seen as [first dimension, all others]; blocks are [rows, columns] on the CPU.
        """
        dtype = DTYPES[self.dtype]
        width = math.prod(self.shape[1:])
        row_bytes = width * dtype.itemsize
        step = max(1, BLOCK_BYTES // max(row_bytes, 1))
        with file.open("rb", buffering=0) as opened:
            for first in range(rows[0], rows[1], step):
                last = min(first + step, rows[1])
                content = bytearray((last - first) * row_bytes)
                opened.seek(self.start + first * row_bytes)
                _fill(opened, content, file)
                block = torch.frombuffer(content, dtype=dtype).view(last - first, width)
                yield first, block if columns is None else block[:, columns[0] : columns[1]]


@dataclass(frozen=True)
class WeightFile:
    """One file's header."""

    path: Path
    tensors: dict[str, Stored]
    """By name, in the order of the header."""
    metadata: dict[str, str] | None


@dataclass
class Directory:
    """The weights of a Hugging Face directory, and what is wrong with its files."""

    files: list[WeightFile] = field(default_factory=list)
    indexed: bool = False
    """Whether there is an index."""
    damaged: list[str] = field(default_factory=list)
    """Files that are missing or cannot be read, each with the reason."""
    unreadable: set[str] = field(default_factory=set)
    """Names that the index places in a damaged file: they are not missing on top of that."""

    @classmethod
    def read(cls, folder: Path) -> Directory:
        """Reads all headers."""
        index = folder / INDEX
        found = cls(indexed=index.exists())
        places: dict[str, str] = {}
        if found.indexed:
            try:
                places = {str(k): str(v) for k, v in parsed(index.read_text(encoding="utf-8"))["weight_map"].items()}
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                found.damaged.append(f"{INDEX} (cannot be read: {error!r})")
        names = sorted(set(places.values())) if found.indexed else [SINGLE]
        for name in names:
            try:
                found.files.append(read_header(folder / name))
            except FileNotFoundError:
                why = (
                    f"the index names {name}, which is not there" if found.indexed else f"neither {SINGLE} nor {INDEX}"
                )
                found.damaged.append(why)
            except OSError as error:  # a name that is no file's, a folder, one that nobody may read
                found.damaged.append(f"{name[:100]} ({error.strerror})")
            except ValueError as error:
                found.damaged.append(f"{name[:100]} ({error})")
            else:
                continue
            found.unreadable |= {tensor for tensor, place in places.items() if place == name}
        return found


def read_header(path: Path) -> WeightFile:
    """Reads a file's header. Raises ValueError saying what is damaged, or FileNotFoundError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(MAX_HEADER_BYTES, size - 8):
            raise ValueError(f"truncated or no safetensors file: {size} bytes, a header of {length}")
        try:
            header: dict[str, Any] = parsed(file.read(length))
            metadata = header.pop("__metadata__", None)
            tensors = {name: _stored(entry, 8 + length) for name, entry in header.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"its header cannot be read: {error!r}") from error
    end = max((tensor.end for tensor in tensors.values()), default=8 + length)
    if size < end:
        raise ValueError(f"truncated: {size} bytes of {end}")
    return WeightFile(path, tensors, metadata)


def header_bytes(header: str) -> bytes:
    """What stands before the tensors: the header's length, 8 bytes little-endian, and the header, padded so that
    tensors start at a multiple of 8, as the library aligns them."""
    content = header.encode()
    content += b" " * (-len(content) % 8)
    return len(content).to_bytes(8, "little") + content


class WeightFileWriter:
    """A file whose tensors come in any order. Its header is written first, so that each tensor has its place."""

    def __init__(
        self, path: Path, tensors: Mapping[str, tuple[str, tuple[int, ...]]], metadata: dict[str, str] | None
    ) -> None:
        """`tensors`: type, as the header says it, and shape by name, in the order in which they stand in the file."""
        header: dict[str, Any] = {} if metadata is None else {"__metadata__": metadata}
        end = 0
        for name, (dtype, shape) in tensors.items():
            start, end = end, end + math.prod(shape) * ITEM_BYTES[dtype]
            header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
        content = header_bytes(json.dumps(header, separators=(",", ":"), ensure_ascii=False))
        self._places = {name: len(content) + header[name]["data_offsets"][0] for name in tensors}
        self._dtypes = {name: dtype for name, (dtype, _) in tensors.items()}
        self.waiting = set(tensors)
        """Names that have not been written."""
        self._file = path.open("wb", buffering=0)
        _write(self._file.fileno(), content, 0)
        self._file.truncate(len(content) + end)

    def write(self, name: str, tensor: Tensor) -> None:
        """Writes one tensor, in the type that the header says."""
        whole = tensor.detach().to(device="cpu", dtype=DTYPES[self._dtypes[name]]).contiguous()
        _write(self._file.fileno(), memoryview(whole.flatten().view(torch.uint8).numpy()), self._places[name])
        self.waiting.discard(name)

    def write_rows(self, name: str, first: int, rows: Tensor) -> None:
        """Writes rows of one tensor from `first` on, in the type that the header says. [rows, columns]"""
        content = memoryview(rows.contiguous().flatten().view(torch.uint8).numpy())
        _write(self._file.fileno(), content, self._places[name] + first * len(content) // len(rows))
        self.waiting.discard(name)

    def copy(self, name: str, file: Path, stored: Stored) -> None:
        """Copies one tensor's bytes from another file."""
        with file.open("rb", buffering=0) as opened:
            for start in range(stored.start, stored.end, BLOCK_BYTES):
                content = bytearray(min(BLOCK_BYTES, stored.end - start))
                opened.seek(start)
                _fill(opened, content, file)
                _write(self._file.fileno(), memoryview(content), self._places[name] + start - stored.start)
        self.waiting.discard(name)

    def close(self) -> None:
        """Flushes the file to disk."""
        os.fsync(self._file.fileno())
        self._file.close()


def _stored(entry: Any, base: int) -> Stored:
    start, end = (int(offset) for offset in entry["data_offsets"])
    stored = Stored(str(entry["dtype"]), tuple(int(n) for n in entry["shape"]), base + start, base + end)
    if stored.dtype in ITEM_BYTES and end - start != math.prod(stored.shape) * ITEM_BYTES[stored.dtype]:
        raise ValueError(f"{stored.dtype} {list(stored.shape)} in {end - start} bytes")
    return stored


def _fill(file: Any, content: bytearray, path: Path) -> None:
    view = memoryview(content)
    while len(view):
        got = file.readinto(view)
        if not got:
            raise OSError(f"{path} became shorter while it was read")
        view = view[got:]


def _write(descriptor: int, content: bytes | memoryview, at: int) -> None:
    view = memoryview(content)
    while len(view):
        done = os.pwrite(descriptor, view, at)
        view, at = view[done:], at + done
