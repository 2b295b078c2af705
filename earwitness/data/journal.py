"""What an import has done so far, a line a row: one that was cut off goes on behind the last."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from earwitness.errors import InputError


@dataclass(frozen=True)
class Outcome:
    """What became of one row."""

    where: str
    manifest: str = ""
    """Name of the manifest that it stands in."""
    line: dict[str, Any] | None = None
    """Its line there."""
    reason: str = ""
    """Why it was left out, where it was."""


class Journal:
    """A file beside the manifest. Use as a context manager."""

    def __init__(self, path: Path, source: str) -> None:
        """`source`: what tells this state of this source from others. Raises InputError if the file is of another."""
        self._path = path
        self._source = source
        self.count = 0
        """Rows whose outcome is known."""
        if path.exists():
            self._mend()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"source": source}) + "\n")
        self._file = path.open("a")

    def add(self, outcome: Outcome) -> None:
        """One more row."""
        self._file.write(json.dumps(asdict(outcome), ensure_ascii=True) + "\n")
        self._file.flush()
        self.count += 1

    def outcomes(self) -> Iterator[Outcome]:
        """All of them, in order."""
        self._file.flush()
        with self._path.open() as file:
            next(file)
            for line in file:
                yield Outcome(**json.loads(line))

    def remove(self) -> None:
        """The import is done."""
        self._file.close()
        self._path.unlink()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def _mend(self) -> None:
        """Drops a last line that was not written whole."""
        data = self._path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        lines = whole.splitlines()
        if not lines or json.loads(lines[0]) != {"source": self._source}:
            problem = "is of an import of another source, or of the source before it changed"
            raise InputError(str(self._path), problem, "another --out, or remove this file to begin anew")
        if len(whole) < len(data):
            with self._path.open("r+b") as file:
                file.truncate(len(whole))
        self.count = len(lines) - 1
