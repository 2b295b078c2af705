"""Checkpoints of a phase: a folder per step, whole or not at all.

A checkpoint is written to a hidden folder, every file is flushed to disk, MANIFEST.json with the xxh3-128 of each file
is written last, and the folder is renamed into place. So a folder that is there is complete, and bytes that rotted
later are recognised by their checksum. Tensors are read with `weights_only`: a checkpoint cannot run code.

    step-00000010/  state.json  tp0-pp0.pt  [hf/...]  MANIFEST.json
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
import xxhash

from earwitness.errors import InputError
from earwitness.log import Logger
from trainer.errors import CheckpointError

MANIFEST = "MANIFEST.json"
STATE = "state.json"
HF = "hf"
"""Sub-folder of a phase's last checkpoint: a Hugging Face directory, for later stages and for people."""
LINEAGE = "lineage"
"""File beside the checkpoints: how often the phase was started."""
HASH_BLOCK = 4 * 1024 * 1024
"""Bytes hashed at a time."""
_FOLDER = re.compile(r"step-(\d{8})")


@dataclass
class Progress:
    """Where a phase stands: what a checkpoint holds beside tensors."""

    step: int = 0
    """Updates (supervised) or published versions (RL) so far."""
    version: int = 0
    """Weight version of the policy."""
    lineage: int = 0
    """Lineage that wrote it."""
    final: bool = False
    """True if the phase has ended."""
    used: dict[int, int] = field(default_factory=dict)
    """Step that used the group, by ordinal: what this policy has learned from."""
    dropped: dict[int, str] = field(default_factory=dict)
    """Why the group was dropped, by ordinal."""


@dataclass(frozen=True)
class Checkpoint:
    """One that was verified."""

    path: Path
    progress: Progress

    def load(self, shard: str) -> dict[str, Any]:
        """This rank's tensors. Raises CheckpointError if the ranks were laid out otherwise when it was written."""
        file = self.path / f"{shard}.pt"
        if not file.is_file():
            there = ", ".join(sorted(f.stem for f in self.path.glob("tp*.pt")))
            raise CheckpointError(str(self.path), f"holds {there}, not {shard}: resume with the same parallel sizes")
        return torch.load(file, map_location="cpu", weights_only=True)


class Checkpoints:
    """The checkpoints of one phase, in a folder that all ranks see."""

    def __init__(self, folder: str | Path, keep: int, log: Logger) -> None:
        self.folder = local_path(folder)
        self._keep = keep
        self._log = log

    def newest(self) -> Checkpoint | None:
        """The newest good one; torn or corrupt ones before it in line are reported loudly and passed over."""
        for path in reversed(self._folders()):
            try:
                return Checkpoint(path, verify(path))
            except CheckpointError as error:
                self._log.error("checkpoint passed over", checkpoint=error.checkpoint, problem=error.problem)
        return None

    def write(
        self,
        progress: Progress,
        shard: str | None,
        tensors: dict[str, Any],
        *,
        lead: bool,
        barrier: Callable[[], None],
        export: Callable[[Path], None] | None = None,
    ) -> Path:
        """Called by all ranks together.

        `shard` names the file of this rank's tensors; None if another rank holds the same. `lead` is true for one rank,
        which writes what is common. `export`, called by all, adds the Hugging Face directory.
        """
        path = self.folder / f"step-{progress.step:08d}"
        partial = path.with_name(f".{path.name}.partial")
        if lead:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
        barrier()
        if shard is not None:
            torch.save(tensors, partial / f"{shard}.pt")
        if export is not None:
            export(partial / HF)
        barrier()
        if lead:
            (partial / STATE).write_text(json.dumps(asdict(progress)))
            _seal(partial)
            if path.exists():  # only if it was passed over as corrupt, or written again after a resume
                shutil.rmtree(path)
            partial.rename(path)
            _flush(self.folder)
            for old in self._folders()[: -self._keep]:
                shutil.rmtree(old)
        barrier()
        return path

    def next_lineage(self) -> int:
        """Counts a start of the phase, durably: 0, 1, 2, ... Only one rank may call it."""
        file = self.folder / LINEAGE
        lineage = int(file.read_text()) + 1 if file.exists() else 0
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f".{LINEAGE}.partial")
        partial.write_text(str(lineage))
        _flush(partial)
        partial.replace(file)
        _flush(self.folder)
        return lineage

    def _folders(self) -> list[Path]:
        """Oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if _FOLDER.fullmatch(path.name) and path.is_dir())


def verify(path: Path) -> Progress:
    """The progress that the checkpoint holds. Raises CheckpointError unless every file is as it was written."""
    try:
        files: dict[str, str] = json.loads((path / MANIFEST).read_text())
        for name, digest in files.items():
            if _hash(path / name) != digest:
                raise CheckpointError(str(path), f"{name} is corrupt: its checksum is not the manifest's")
        state = json.loads((path / STATE).read_text())
        state["used"] = {int(ordinal): step for ordinal, step in state["used"].items()}
        state["dropped"] = {int(ordinal): reason for ordinal, reason in state["dropped"].items()}
        return Progress(**state)
    except FileNotFoundError as error:
        raise CheckpointError(str(path), f"is torn: {Path(error.filename).name} is missing") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(str(path), f"cannot be read ({error})") from error


def weights_of(uri: str) -> Path:
    """The Hugging Face directory that `uri` means: a phase's last checkpoint, or a Hugging Face directory itself."""
    path = local_path(uri)
    for candidate in (path / HF, path):
        if (candidate / "config.json").is_file():
            return candidate
    raise InputError(str(uri), "is no Hugging Face directory", "a phase's last checkpoint, or a model directory")


def local_path(uri: str | Path) -> Path:
    """The path of a `file://` URI or a plain path: ranks write checkpoints to a disk or a shared volume."""
    text = str(uri).removeprefix("file://")
    if "://" in text:
        raise InputError(str(uri), "is not on a file system", "a path on a volume that all ranks share")
    return Path(text)


def _seal(folder: Path) -> None:
    """Flushes every file to disk, then writes the manifest."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        _flush(path)
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps({str(path.relative_to(folder)): _hash(path) for path in files}, indent=1))
    _flush(manifest)
    for path in [folder, *(p for p in folder.rglob("*") if p.is_dir())]:
        _flush(path)


def _hash(path: Path) -> str:
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _flush(path: Path) -> None:
    """fsync of a file or folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
