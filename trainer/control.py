"""What a phase is told while it runs, and what it tells."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Protocol

from trainer.checkpoint.writer import Write


class Wish(Enum):
    """What somebody asked of the running phase."""

    NONE = b"n"
    SAVE = b"c"
    """Write a checkpoint now."""
    STOP = b"s"
    """Write a checkpoint and return."""


class Board(Protocol):
    """What rank 0 shows of the running phase, and reads from it."""

    def wish(self) -> Wish:
        """What is wished of the phase now."""

    def show(self, *, step: int, version: int, lineage: int, run_id: str) -> None:
        """Where the phase stands."""

    def step_done(self, step: int, version: int, metrics: dict[str, float]) -> None:
        """The figures of a step."""

    def passed_over(self, problems: Sequence[str]) -> None:
        """Checkpoints that were not resumed from, and why."""

    def saving(self, write: Write) -> None:
        """A checkpoint is being written."""

    def saved(self, checkpoint: Path, step: int) -> None:
        """The checkpoint of `step` counts now."""
