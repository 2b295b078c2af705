"""What an importer makes of a row, and the two ways in which a row can be wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from earwitness.errors import InputError


class SourceError(InputError):
    """The source cannot be trusted or read at all: the import ends, and nothing is written."""


class LeftOut(Exception):
    """One row cannot be used, for the reason that the message gives: it is counted, and the import goes on."""


@dataclass(frozen=True)
class Row:
    """One record of a source."""

    where: str
    """File and place within it, for people."""
    fields: Mapping[str, Any]
    """By column; audio that the source holds itself is {"bytes": ..., "path": ...}."""
    split: str = ""
    """Which part of the data set it is in, by the name of its file or folder."""
    folder: Path = Path()
    """Where the file lies: paths in it may start there."""
    number: int = 0
    """From 1, among the rows of its split: those of several files have numbers of their own."""


@dataclass(frozen=True)
class Sound:
    """The clip of a question: a file that the source names, or bytes that it holds."""

    path: str = ""
    """As the source names it; with `data` no more than a name."""
    data: bytes | None = None
    """An audio file; None where `path` names one. Left out in a first look, which needs no sound."""
    held: bool = False
    """True if the source holds the bytes, whether they were read or not."""


@dataclass(frozen=True)
class Question:
    """One row as a manifest has it."""

    identity: str
    question: str
    answer: str
    verifier: str
    choices: Sequence[str] = ()
    sound: Sound | None = None
    kind: str = ""
    reasoning: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    parts: Sequence[str | Sound] = ()
    """Words and clips in their order, where clips stand among the words; then `question` is the words alone."""

    @property
    def sounds(self) -> list[Sound]:
        """Its clips, in order."""
        if self.parts:
            return [part for part in self.parts if isinstance(part, Sound)]
        return [self.sound] if self.sound else []
