"""The folders of a phase's checkpoints: one per step, whole or not at all.

A checkpoint is written to a hidden folder; every file is flushed to disk and leaves its xxh3-128; MANIFEST.json with
all of those is written last, and the folder is renamed into place. So a folder that is there is complete, and bytes
that rotted later are recognised by their checksum.

    lineage-2  step-00000010/  state.json  rank-00000.safetensors ...  [hf/...]  MANIFEST.json
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import xxhash

from earwitness.errors import InputError
from earwitness.storage import local_path
from trainer.disk import flush
from trainer.errors import CheckpointError

MANIFEST = "MANIFEST.json"
STATE = "state.json"
HF = "hf"
"""Sub-folder of a phase's last checkpoint: a Hugging Face directory, for later stages and for people."""
ADAPTER = "adapter"
"""Beside it, if LoRA was trained: what PEFT reads."""
_FOLDER = re.compile(r"step-(\d{8})")
_HIDDEN = re.compile(r"\.step-\d{8}\.(\d+\.partial|removed)")
_LINEAGE = re.compile(r"lineage-(\d+)")
"""Empty files beside the checkpoints: one for each start of the phase, made by who started it and by nobody else."""


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

    def to_json(self) -> str:
        """The content of STATE."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Progress:
        """Raises ValueError, TypeError, KeyError or AttributeError if `text` is not what `to_json` gives."""
        state = json.loads(text)
        state["used"] = {int(ordinal): step for ordinal, step in state["used"].items()}
        state["dropped"] = {int(ordinal): reason for ordinal, reason in state["dropped"].items()}
        return cls(**state)


def path_of(folder: Path, step: int) -> Path:
    """Where the checkpoint of `step` stands once it counts."""
    return folder / f"step-{step:08d}"


def partial_of(folder: Path, step: int, lineage: int) -> Path:
    """Where `lineage` writes it."""
    return folder / f".{path_of(folder, step).name}.{lineage}.partial"


def checkpoints_in(folder: Path) -> list[Path]:
    """Oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _FOLDER.fullmatch(path.name) and path.is_dir())


def begin(folder: Path, step: int, lineage: int = 0) -> Path:
    """An empty folder to write the checkpoint of `step` in; what an interrupted attempt left is removed.

    An older lineage that is cut off may still be writing: what of it cannot be removed now is left to the next time.
    Raises CheckpointError if a later lineage has begun.
    """
    partial = partial_of(folder, step, lineage)
    _check_newest(folder, lineage, partial)
    if folder.is_dir():
        for left in [path for path in folder.iterdir() if _HIDDEN.fullmatch(path.name)]:
            shutil.rmtree(left, ignore_errors=left != partial)
    partial.mkdir(parents=True)
    return partial


def commit(partial: Path, progress: Progress, digests: Mapping[str, str], keep: int) -> Path:
    """Makes what stands in `partial` the checkpoint of its step. `digests`: checksum of each file by relative name.

    Afterwards the newest `keep` are left; what a lineage that was given up wrote for later steps is gone. Raises
    CheckpointError if a later lineage has begun: what that one writes is never touched.
    """
    folder, path = partial.parent, path_of(partial.parent, progress.step)
    write_durably(partial / STATE, progress.to_json().encode())
    files = {**digests, STATE: hash_of(partial / STATE)}
    write_durably(partial / MANIFEST, json.dumps(dict(sorted(files.items())), indent=1).encode())
    for inner in [partial, *(p for p in partial.rglob("*") if p.is_dir())]:
        flush(inner)
    _check_newest(folder, progress.lineage, path)
    if path.exists():  # only if it was passed over as corrupt, or is a given-up lineage's
        _remove(path)
    partial.rename(path)
    flush(folder)
    there = [p for p in checkpoints_in(folder) if _lineage_of(p) <= progress.lineage]
    older = [p for p in there if p < path]
    for old in [*older[: max(len(older) + 1 - keep, 0)], *(p for p in there if p > path)]:
        _remove(old)
    return path


def verify(path: Path, part: int = 0, parts: int = 1) -> Progress:
    """The progress that the checkpoint holds. Raises CheckpointError unless its files are as they were written.

    Reads every `parts`-th file from the `part`-th on, so that ranks can share the work; the manifest always.
    """
    try:
        files: dict[str, str] = json.loads((path / MANIFEST).read_text())
        names = sorted(files)
        if STATE not in names:
            raise CheckpointError(str(path), f"is torn: its manifest names no {STATE}")
        for name in names:
            (path / name).stat()
        for name in {STATE, *names[part::parts]}:
            if hash_of(path / name) != files[name]:
                raise CheckpointError(str(path), f"{name} is corrupt: its checksum is not the manifest's")
        return Progress.from_json((path / STATE).read_text())
    except FileNotFoundError as error:
        raise CheckpointError(str(path), f"is torn: {Path(error.filename).name} is missing") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(str(path), f"cannot be read ({error})") from error


def next_lineage(folder: Path, least: int = 0) -> int:
    """Claims the next lineage of the phase, durably: `least`, or one more than the last; no other start gets it too."""
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        last = newest_lineage(folder)
        lineage = max(last + 1, least)
        try:
            (folder / f"lineage-{lineage}").touch(exist_ok=False)
        except FileExistsError:  # another start was faster
            continue
        flush(folder)
        return lineage


def newest_lineage(folder: Path) -> int:
    """The last that was claimed; -1 if none was."""
    names = [found for path in folder.iterdir() if (found := _LINEAGE.fullmatch(path.name))] if folder.is_dir() else []
    return max((int(name[1]) for name in names), default=-1)


def _check_newest(folder: Path, lineage: int, path: Path) -> None:
    newest = newest_lineage(folder)
    if newest > lineage:
        problem = f"is not written: the phase was started again (lineage {newest}), this is lineage {lineage}"
        raise CheckpointError(str(path), problem)


def _lineage_of(checkpoint: Path) -> int:
    """That wrote it; -1 if that cannot be read."""
    try:
        return Progress.from_json((checkpoint / STATE).read_text()).lineage
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return -1


def weights_of(uri: str) -> Path:
    """The Hugging Face directory that `uri` means: a phase's last checkpoint, or a Hugging Face directory itself."""
    path = local_path(uri)
    for candidate in (path / HF, path):
        if (candidate / "config.json").is_file():
            return candidate
    raise InputError(str(uri), "is no Hugging Face directory", "a phase's last checkpoint, or a model directory")


def _remove(checkpoint: Path) -> None:
    """Hides it before it is deleted file by file: what is seen is whole, wherever the process dies."""
    hidden = checkpoint.with_name(f".{checkpoint.name}.removed")
    shutil.rmtree(hidden, ignore_errors=True)
    checkpoint.rename(hidden)
    shutil.rmtree(hidden)


def hash_of(path: Path) -> str:
    """xxh3-128 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, xxhash.xxh3_128).hexdigest()


def write_durably(path: Path, content: bytes) -> None:
    """The file is there with the whole content, on disk, or as it was before."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(content)
    flush(partial)
    partial.replace(path)
