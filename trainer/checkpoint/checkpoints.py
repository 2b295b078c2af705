"""The checkpoints of a phase as its loop sees them: all ranks call it, bytes are written meanwhile."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial as bound
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch.distributed as dist

from earwitness.log import Logger
from earwitness.storage import local_path
from trainer.checkpoint import folder as disk
from trainer.checkpoint.folder import HF, Progress
from trainer.checkpoint.pieces import Piece, Pieces
from trainer.checkpoint.writer import Write
from trainer.disk import flush
from trainer.errors import CheckpointError, TrainingError
from trainer.ranks.agreement import agree
from trainer.ranks.parallel import broadcast_bytes, is_rank_zero

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Checkpoint:
    """One that was verified."""

    path: Path
    progress: Progress

    def pieces(self) -> Pieces:
        """Its tensors; to be closed."""
        return Pieces(self.path)


class Checkpoints:
    """The checkpoints of one phase, in a folder that all ranks see. At most one is being written."""

    def __init__(
        self, folder: str | Path, keep: int, log: Logger, committed: Callable[[Path, int], None] | None = None
    ) -> None:
        """`committed` hears, on rank 0 and from another thread, of each checkpoint that counts now, and its step."""
        self.folder = local_path(folder)
        self._keep = keep
        self._log = log
        self._committed = committed
        self._write: Write | None = None
        self._last: Write | None = None
        self.passed_over: list[str] = []
        """Why `newest` did not take newer ones."""

    def newest(self) -> Checkpoint | None:
        """The newest good one; torn or corrupt ones before it in line are reported loudly and passed over."""
        paths = [str(p) for p in reversed(disk.checkpoints_in(self.folder))] if is_rank_zero() else []
        for name in json.loads(broadcast_bytes(json.dumps(paths).encode() if is_rank_zero() else None)):
            try:
                progress = agree(disk.verify, Path(name), dist.get_rank(), dist.get_world_size())
                return Checkpoint(Path(name), progress)
            except TrainingError as error:
                self.passed_over.append(str(error))
                self._log.error("checkpoint passed over", checkpoint=name, problem=str(error))
        return None

    def next_lineage(self, least: int = 0) -> int:
        """Claims the next lineage of the phase, durably, from `least` on. The same on every rank."""
        number = agree(self._on_lead, disk.next_lineage, self.folder, least)
        return int(broadcast_bytes(str(number).encode() if is_rank_zero() else None))

    def save(
        self, progress: Progress, pieces: Callable[[], Sequence[Piece]], export: Callable[[Path], None] | None = None
    ) -> Write:
        """Copies this rank's pieces to the host and lets them be written; waits for the checkpoint before this one.

        `export` adds the Hugging Face directory before this returns. Raises CheckpointError, on all ranks, if this
        cannot be begun or if the one before has failed.
        """
        self.finish()
        progress = copy.deepcopy(progress)
        agree(self._on_lead, disk.begin, self.folder, progress.step, progress.lineage)
        partial = disk.partial_of(self.folder, progress.step, progress.lineage)
        if export is not None:
            problem = _problem_of(export, partial / HF)
            agree(_raise, problem)  # every rank's share of it is there before the lead counts the files
        commit = bound(self._commit, partial, progress) if is_rank_zero() else None
        rank, ranks = dist.get_rank(), dist.get_world_size()
        self._write = self._last = Write(partial, progress.step, rank, agree(pieces), commit, ranks)
        return self._write

    @property
    def saving(self) -> Write | None:
        """The one that is being written."""
        return self._write if self._write is not None and not self._write.done else None

    def check(self) -> None:
        """Raises CheckpointError, on all ranks together, if the write in hand has failed on any."""
        agree(self._result, wait=False)

    def finish(self) -> None:
        """Waits until what is being written counts. Raises CheckpointError, on all ranks together, if it failed."""
        agree(self._result, wait=True)

    def close(self) -> None:
        """Ends a write that nobody will wait for."""
        if self._write is not None:
            self._write.abandon()

    def figures(self) -> dict[str, float]:
        """Of the last checkpoint that was written in the background: what this rank wrote, and how long all took."""
        if self._last is None or not self._last.seconds:
            return {}
        return {"checkpoint.bytes": float(self._last.bytes_written), "checkpoint.seconds": self._last.seconds}

    def _result(self, *, wait: bool) -> None:
        write = self._write
        if write is not None and (wait or write.done):
            self._write = None
            write.result()

    def _on_lead(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        if not is_rank_zero():
            return None
        with _typed(self.folder):
            return work(*args, **kwargs)

    def _commit(self, partial: Path, progress: Progress, digests: Mapping[str, str]) -> None:
        exported = [path for path in partial.rglob("*") if path.is_file() and path.parent != partial]
        for path in exported:
            flush(path)
        inner = {str(path.relative_to(partial)): disk.hash_of(path) for path in exported}
        path = disk.commit(partial, progress, {**digests, **inner}, self._keep)
        self._log.info("checkpoint written", checkpoint=str(path), step=progress.step)
        if self._committed is not None:
            self._committed(path, progress.step)


def _problem_of(export: Callable[[Path], None], target: Path) -> CheckpointError | None:
    """Why the Hugging Face directory could not be written, if the disk is the reason."""
    try:
        with _typed(target):
            export(target)
    except CheckpointError as error:
        return error
    return None


def _raise(error: CheckpointError | None) -> None:
    if error is not None:
        raise error


@contextmanager
def _typed(path: Path) -> Iterator[None]:
    """The disk's errors as ours, which ranks can agree on."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(str(path), f"cannot be written ({error})") from error
