"""The tensor files of a checkpoint: each rank writes the pieces that are its own, any layout reads them.

A piece is a run of one tensor-parallel shard of one parameter, flattened: the whole of it, or what one replica holds
of it under the distributed optimizer. The file is safetensors, which cannot hold code (Megatron's and torch's
distributed checkpoints are read with pickle, which runs what a file says); its metadata says where each piece lies.
To read a parameter at another tensor-parallel size, its shards are put together, joined and cut anew.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import xxhash
from safetensors import SafetensorError, safe_open
from torch import Tensor

from trainer.disk import flush
from trainer.errors import CheckpointError
from trainer.model.names import Slot
from trainer.model.weight_files import header_bytes

PLACES = "places"
"""Key of the metadata that says where the pieces lie."""
_DTYPES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16", torch.int64: "I64", torch.uint8: "U8"}
"""safetensors' names of the types."""
BLOCK_BYTES = 4 << 20
"""Written at a time."""


@dataclass(frozen=True)
class Region:
    """Where a piece lies in its parameter."""

    shard: int
    """Tensor-parallel rank whose shard it is a run of."""
    shards: int
    """Shards of the parameter; 1 if it is replicated."""
    shape: tuple[int, ...]
    """Of the shard."""
    start: int
    """First element in the flattened shard."""


@dataclass(frozen=True)
class Piece:
    """A tensor on the host, to be written. Without a place it is this rank's alone."""

    name: str
    tensor: Tensor
    place: Region | None = None


def file_of(rank: int) -> str:
    """Name of the file that `rank` writes."""
    return f"rank-{rank:05d}.safetensors"


def write_pieces(path: Path, pieces: Sequence[Piece], wrote: Callable[[int], None]) -> str:
    """Writes and flushes a safetensors file; its xxh3-128. `wrote` hears the bytes as they are written."""
    digest = xxhash.xxh3_128()
    with path.open("wb") as file:
        for content in (memoryview(_header(pieces)), *(_bytes(piece.tensor) for piece in pieces)):
            for start in range(0, len(content), BLOCK_BYTES):
                block = content[start : start + BLOCK_BYTES]
                file.write(block)
                digest.update(block)
                wrote(len(block))
    flush(path)
    return digest.hexdigest()


class Pieces:
    """The pieces of one checkpoint, for reading."""

    def __init__(self, folder: Path) -> None:
        """Raises CheckpointError if a file is not readable."""
        self._folder = folder
        self._stack = ExitStack()
        self._where: dict[str, list[tuple[Any, Region]]] = {}
        self._files: dict[str, Any] = {}
        try:
            for path in sorted(folder.glob("rank-*.safetensors")):
                file = self._stack.enter_context(safe_open(path, framework="pt"))
                self._files[path.name] = file
                for name, place in json.loads(file.metadata()[PLACES]).items():
                    where = Region(place["shard"], place["shards"], tuple(place["shape"]), place["start"])
                    self._where.setdefault(name, []).append((file, where))
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise CheckpointError(str(folder), f"cannot be read ({error})") from error

    def __enter__(self) -> Pieces:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __contains__(self, name: str) -> bool:
        return name in self._where

    def names(self) -> list[str]:
        """Of the parameters' tensors."""
        return sorted(self._where)

    def ranks(self) -> int:
        """That wrote it."""
        return len(self._files)

    def own(self, name: str, rank: int) -> Tensor:
        """A tensor that `rank` wrote for itself. Raises CheckpointError if it did not."""
        file = self._files.get(file_of(rank))
        if file is None or name not in file.keys():  # noqa: SIM118  (safe_open is not a mapping)
            raise CheckpointError(str(self._folder), f"holds no {name} of rank {rank}")
        return file.get_tensor(name)

    def shard(self, name: str, slot: Slot, rank: int, size: int) -> Tensor:
        """The parameter's shard of tensor-parallel rank `rank` of `size`, in the type that was written.

        Raises CheckpointError if it is not there, or not all of it.
        """
        pieces = self._where.get(name)
        if not pieces:
            raise CheckpointError(str(self._folder), f"holds no {name}")
        shards = pieces[0][1].shards
        if shards == 1 and slot.cut == "whole":
            return self._shard(name, 0)
        if shards == size:
            return self._shard(name, rank)
        full = dict(zip(slot.names, slot.join([self._shard(name, n) for n in range(shards)]), strict=True))
        shard = torch.zeros(slot.parameter.shape, dtype=full[slot.names[0]].dtype)  # rows that pad the vocabulary: 0
        for part in slot.pieces(shard, rank, size):
            rows = full[part.name][slice(*part.rows)]
            part.target.copy_(rows if part.columns is None else rows[:, slice(*part.columns)])
        return shard

    def _shard(self, name: str, number: int) -> Tensor:
        """One shard as it was cut when it was written."""
        runs = sorted(((p.start, f, p) for f, p in self._where[name] if p.shard == number), key=lambda run: run[0])
        parts: list[Tensor] = []
        covered = 0
        for start, file, place in runs:
            length, whole = math.prod(file.get_slice(name).get_shape()), math.prod(place.shape)
            if start + length > whole:
                beyond = f"a piece of {name} that ends at element {start + length}; the parameter has {whole}"
                raise CheckpointError(str(self._folder), f"holds {beyond}")
            if start == covered:
                parts.append(file.get_tensor(name))
                covered += length
        if not runs or covered != math.prod(runs[0][2].shape):
            raise CheckpointError(str(self._folder), f"holds only a part of {name}, shard {number}")
        return (parts[0] if len(parts) == 1 else torch.cat(parts)).view(runs[0][2].shape)


def _header(pieces: Sequence[Piece]) -> bytes:
    places = {piece.name: asdict(piece.place) for piece in pieces if piece.place is not None}
    table: dict[str, Any] = {"__metadata__": {PLACES: json.dumps(places)}}
    end = 0
    for piece in pieces:
        start, end = end, end + piece.tensor.nbytes
        dtype = _DTYPES[piece.tensor.dtype]
        table[piece.name] = {"dtype": dtype, "shape": list(piece.tensor.shape), "data_offsets": [start, end]}
    return header_bytes(json.dumps(table))


def _bytes(tensor: Tensor) -> memoryview:
    """The tensor's memory."""
    return memoryview(tensor.contiguous().flatten().view(torch.uint8).numpy())
