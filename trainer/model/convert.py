"""A Hugging Face directory in another type and other files, a few rows at a time: nobody holds a tensor, or a file.

The new directory is written under a hidden name beside its place, file by file; a file has its name once it is whole.
So what was interrupted goes on with the file it was at, and a directory that is there is complete.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from earwitness.errors import InputError
from earwitness.families.architecture import Architecture, read_architecture
from earwitness.json_text import parsed
from trainer.disk import flush
from trainer.model.huggingface import copy_beside
from trainer.model.stored import check_weights
from trainer.model.weight_files import (
    DTYPES,
    INDEX,
    ITEM_BYTES,
    SINGLE,
    Directory,
    Stored,
    WeightFileWriter,
    read_header,
)

HEADERS = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}
"""Types that can be asked for, as headers say them."""
PLAN = "plan.json"
"""In the hidden directory: what it was begun with. Another plan begins anew."""


@dataclass(frozen=True)
class Part:
    """One tensor on its way."""

    name: str
    file: Path
    stored: Stored
    dtype: str
    """Its new type."""

    @property
    def nbytes(self) -> int:
        """Of it in the new directory."""
        return math.prod(self.stored.shape) * ITEM_BYTES[self.dtype]


def convert(
    source: Path, out: Path, dtype: str | None, file_bytes: int, told: Callable[[int, int], None]
) -> dict[str, int]:
    """Writes `out`, which is not there yet; bytes by file. `told` hears of bytes that are there, and of all.

    `dtype`: of the weights that are trained, None: as they are; parts that travel through stay so. `file_bytes`: most
    of a file, unless one tensor has more. Raises InputError, a WeightsError among them.
    """
    architecture = read_architecture(source)
    check_weights(architecture, source)
    if out.exists():
        raise InputError(str(out), "is there already", "a new directory")
    files = _files(_parts(architecture, source, HEADERS[dtype] if dtype else None), file_bytes)
    sizes = {name: sum(part.nbytes for part in parts) for name, parts in files.items()}
    partial = out.with_name(f".{out.name}.partial")
    _begin(partial, source, files, sum(sizes.values()))
    done = 0
    for name, parts in files.items():
        if not (partial / name).exists():
            _write(partial / name, parts)
        done += sizes[name]
        told(done, sum(sizes.values()))
    copy_beside(source, partial, architecture.family.beside)
    if dtype is not None:
        _name_type(partial / "config.json", dtype)
    if len(files) > 1:
        places = {part.name: name for name, parts in files.items() for part in parts}
        content = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": places}
        (partial / INDEX).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    check_weights(read_architecture(partial), partial)
    (partial / PLAN).unlink()
    flush(partial)
    partial.rename(out)
    return sizes


def _parts(architecture: Architecture, source: Path, dtype: str | None) -> list[Part]:
    passes = architecture.family.names.passes
    return [
        Part(name, file.path, stored, stored.dtype if dtype is None or passes(name) else dtype)
        for file in Directory.read(source).files
        for name, stored in file.tensors.items()
    ]


def _files(parts: list[Part], file_bytes: int) -> dict[str, list[Part]]:
    """Which tensors each file holds, in the order in which they were."""
    shares: list[list[Part]] = [[]]
    for part in parts:
        if shares[-1] and sum(other.nbytes for other in shares[-1]) + part.nbytes > file_bytes:
            shares.append([])
        shares[-1].append(part)
    if len(shares) == 1:
        return {SINGLE: shares[0]}
    return {f"model-{i:05d}-of-{len(shares):05d}.safetensors": share for i, share in enumerate(shares, 1)}


def _begin(partial: Path, source: Path, files: Mapping[str, list[Part]], needed: int) -> None:
    """Makes the hidden directory, or leaves in it what is whole of the same plan. Raises InputError if the disk is too
    small."""
    state = {str(path): [path.stat().st_size, path.stat().st_mtime_ns] for path in sorted(source.iterdir())}
    plan: dict[str, Any] = {
        "source": state,
        "files": {name: [[part.name, part.dtype] for part in parts] for name, parts in files.items()},
    }
    if not (partial / PLAN).exists() or json.loads((partial / PLAN).read_text(encoding="utf-8")) != plan:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        (partial / PLAN).write_text(json.dumps(plan), encoding="utf-8")
    needed -= sum((partial / name).stat().st_size for name in files if (partial / name).exists())
    free = shutil.disk_usage(partial).free
    if needed > free:
        raise InputError(str(partial.parent), f"has {free / 1e9:.1f} GB free", f"{needed / 1e9:.1f} GB")


def _write(path: Path, parts: list[Part]) -> None:
    half = path.with_name(f".{path.name}")
    layout = {part.name: (part.dtype, part.stored.shape) for part in parts}
    writer = WeightFileWriter(half, layout, {"format": "pt"})
    try:
        for part in parts:
            if part.dtype == part.stored.dtype:
                writer.copy(part.name, part.file, part.stored)
                continue
            for first, block in part.stored.read(part.file, (0, part.stored.shape[0]), None):
                other = block.to(DTYPES[part.dtype])
                if not bool(other.isfinite().all()) and bool(block.isfinite().all()):
                    raise InputError(part.name, f"holds numbers that {part.dtype} does not", "bfloat16 or float32")
                writer.write_rows(part.name, first, other)
    finally:
        writer.close()
    if {name: (stored.dtype, stored.shape) for name, stored in read_header(half).tensors.items()} != layout:
        raise AssertionError(f"{half} does not hold what was written")
    half.rename(path)


def _name_type(config: Path, dtype: str) -> None:
    """Says the new type wherever the config says one."""

    def renamed(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: dtype if k in ("dtype", "torch_dtype") and v is not None else renamed(v) for k, v in value.items()}

    content = parsed(config.read_text(encoding="utf-8"))
    config.write_text(json.dumps(renamed(content), indent=2) + "\n", encoding="utf-8")
