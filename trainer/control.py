"""What a phase is told while it runs, and what it tells."""

from __future__ import annotations

from enum import Enum
from typing import Protocol


class Wish(Enum):
    """What somebody asked of the running phase."""

    NONE = b"n"
    SAVE = b"c"
    """Write a checkpoint now."""
    STOP = b"s"
    """Write a checkpoint and return."""


class Control(Protocol):
    """The side of the phase that talks to the world."""

    def poll(self) -> Wish:
        """What is wished now. All ranks call it together and get the same answer."""

    def report(self, step: int, metrics: dict[str, float]) -> None:
        """The figures of a step. Called on every rank; rank 0 keeps them."""
