"""The state file of a local mesh: who runs, where, and the token that callers show.

The supervisor writes it, the client and the CLI read it. It holds the token, so only its owner may read it.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from earwitness.errors import EarwitnessError

DEFAULT_FOLDER = ".earwitness"
"""Folder of the local mesh, relative to the current directory."""

_Kind = TypeVar("_Kind")

STATE_FILE = "mesh.json"
SCALE_FILE = "scale.json"
SUPERVISOR_LOG = "supervisor.log"

OURS = (STATE_FILE, SCALE_FILE, SUPERVISOR_LOG, "logs", "queue")
"""What a mesh leaves in its folder."""


class MeshFailed(EarwitnessError):
    """The mesh cannot run; the text says which process and why."""


class NoMesh(EarwitnessError):
    """There is no local mesh in this folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder

    def __str__(self) -> str:
        return f"no mesh in {self.folder}; start one with `earwitness up`, or give --address and --token of another"


@dataclass(frozen=True)
class ProcessState:
    """One process of the mesh."""

    name: str
    """Unique name, for example rollout-0."""
    role: str
    """queue, weights, jobs, trainer, rollout, reward, recogniser or reference."""
    pid: int
    """Process id; 0 while it is down."""
    address: str
    """host:port it listens on."""
    state: str
    """starting, healthy, backing-off or failed."""
    restarts: int
    """Times it was started again."""
    log: str
    """File of its output."""


@dataclass(frozen=True)
class MeshState:
    """One mesh."""

    mesh: str
    """Random id; every process of the mesh carries it in EW_MESH."""
    pid: int
    """The supervisor."""
    born: int
    """Start time of the supervisor, clock ticks since boot, because process ids are used again."""
    address: str
    """host:port of the jobs service."""
    token: str
    """Bearer token."""
    queue_url: str
    """Redis of the queue."""
    weights_urls: tuple[str, ...]
    """Redis shards of the weights."""
    ready: bool
    """Every process was healthy once."""
    failure: str
    """Why the supervisor gave up; empty while it has not."""
    processes: tuple[ProcessState, ...]


def own_folder(folder: Path) -> None:
    """Make the state folder, for its owner only; one that is there and held nothing of a mesh keeps its rights."""
    ours = not folder.exists() or not any(folder.iterdir()) or any((folder / name).exists() for name in OURS)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if ours and folder.stat().st_uid == os.getuid():
        folder.chmod(0o700)


def keep_old(path: Path) -> None:
    """Put logs aside before new ones are written: those of a mesh that crashed are what a person wants to read."""
    old = path.with_name(f"{path.name}.old")
    if path.exists():
        shutil.rmtree(old, ignore_errors=True)
        path.replace(old)


def open_log(path: Path) -> BinaryIO:
    """To append; readable by its owner only."""
    return open(path, "ab", opener=lambda name, flags: os.open(name, flags, 0o600))


def read_state(folder: Path) -> MeshState:
    """The mesh in `folder`. Raises NoMesh."""
    try:
        read = _read(folder / STATE_FILE, MeshState)
        processes = tuple(_checked(ProcessState, one) for one in read.processes)
        return replace(read, weights_urls=tuple(read.weights_urls), processes=processes)
    except (OSError, ValueError, TypeError) as error:
        raise NoMesh(folder) from error


def write_state(folder: Path, state: MeshState) -> None:
    """Replace the file in one step, readable by its owner only."""
    _write_private(folder / STATE_FILE, json.dumps(asdict(state), indent=1))


def remove_state(folder: Path) -> None:
    """Forget the mesh; nothing happens if there is none."""
    for name in (STATE_FILE, SCALE_FILE):
        (folder / name).unlink(missing_ok=True)


@dataclass(frozen=True)
class Scale:
    """How many workers of each scalable role a person wants."""

    rollout: int | None = None
    reward: int | None = None
    recogniser: int | None = None
    """None: the mesh has none."""


def read_scale(folder: Path) -> Scale:
    """What was asked for last; all None if nothing was."""
    try:
        return _read(folder / SCALE_FILE, Scale)
    except (OSError, ValueError):
        return Scale()


def write_scale(folder: Path, scale: Scale) -> None:
    """Ask the supervisor for other counts; it looks twice a second."""
    _write_private(folder / SCALE_FILE, json.dumps(asdict(scale)))


def _read(file: Path, kind: type[_Kind]) -> _Kind:
    """The object in a file. Raises OSError, ValueError."""
    return _checked(kind, json.loads(file.read_text(encoding="utf-8")))


def _checked(kind: type[_Kind], data: Any) -> _Kind:
    """An object of the fields in `data`. Raises ValueError if it is not from this version of the program."""
    if not isinstance(data, dict) or data.keys() != {one.name for one in fields(kind)}:  # type: ignore[arg-type]
        raise ValueError(f"not a {kind.__name__}")
    return kind(**data)


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    scratch = path.with_suffix(f".{os.getpid()}.tmp")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    scratch.replace(path)
