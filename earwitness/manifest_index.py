"""Where the lines of a manifest begin, so that millions of them are read once and then found one by one."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Sequence
from typing import BinaryIO, overload

import numpy as np
import xxhash

from earwitness import artifacts, storage
from earwitness.errors import Problem, shown
from earwitness.manifest import (
    MAX_LINE_BYTES,
    MAX_PROBLEMS,
    Example,
    ManifestError,
    parse_line,
    scan_manifest,
)
from earwitness.wire.trajectory.v1 import trajectory_pb2

Offsets = np.ndarray[tuple[int], np.dtype[np.uint64]]
"""Of the lines that hold an example, bytes, in order. Eight bytes a line is all that is kept of it."""

Referee = Callable[[trajectory_pb2.Prompt], str | None]
"""What is wrong with the reference of a prompt on its own verifier; None: nothing."""


def index_manifest(
    uri: str,
    seen: Callable[[Example], None],
    told: Callable[[int], None],
    *,
    limit: int | None = None,
    check_audio: bool = True,
    referee: Referee = lambda prompt: None,
) -> Offsets:
    """Reads a manifest from its start, at most `limit` examples of it, in memory of 24 bytes a line.

    `seen` gets every example and may raise InputError; `told` gets the number of lines read so far, at each of them;
    `referee` says what is wrong with a reference.
    Raises ManifestError, with up to `MAX_PROBLEMS` problems.
    """
    offsets, numbers, identities, problems = array("Q"), array("Q"), array("Q"), list[Problem]()
    for number, offset, example in scan_manifest(uri, problems, check_audio=check_audio):
        if example is not None:
            offsets.append(offset)
            numbers.append(number)
            identities.append(xxhash.xxh3_64_intdigest(example.prompt.id.encode()))
            seen(example)
            if wrong := referee(example.prompt):
                expected = "a reference that is right by its verifier, while everything else is wrong"
                problems.append(Problem(f"{uri}:{number}.answer", wrong, expected))
        told(number)
        if len(problems) >= MAX_PROBLEMS or (limit is not None and len(offsets) >= limit):
            break
    found = np.frombuffer(offsets, dtype=np.uint64)
    if not problems:
        problems += _duplicates(uri, found, numbers, np.frombuffer(identities, dtype=np.uint64))
    if not len(found) and not problems:
        problems.append(Problem(uri, "the manifest is empty", "at least one line"))
    if problems:
        raise ManifestError(problems)
    return found


def _duplicates(uri: str, offsets: Offsets, numbers: Sequence[int], identities: Offsets) -> list[Problem]:
    """Ids that stand on several lines. Equal hashes are looked at again: two ids may share one."""
    order = np.argsort(identities, kind="stable")
    is_again = identities[order[1:]] == identities[order[:-1]]
    again = np.sort(order[1:][is_again])[:MAX_PROBLEMS]
    problems = []
    with IndexedManifest(uri, offsets) as examples:
        for place in map(int, again):
            identity = examples[place].prompt.id
            alike = map(int, np.flatnonzero(identities[:place] == identities[place]))
            first = next((i for i in alike if examples[i].prompt.id == identity), None)
            if first is not None:
                what = f"duplicate id {shown(identity)} (first on line {numbers[first]})"
                problems.append(Problem(f"{uri}:{numbers[place]}.id", what, "an id of its own for each line"))
    return problems


class IndexedManifest(Sequence[Example]):
    """The examples of a manifest, each read when it is asked for. Use as a context manager, or `close` it."""

    def __init__(self, uri: str, offsets: Offsets) -> None:
        self._uri = uri
        self._offsets = offsets
        self._file: BinaryIO | None = None
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._offsets)

    @overload
    def __getitem__(self, place: int) -> Example: ...

    @overload
    def __getitem__(self, place: slice) -> list[Example]: ...

    def __getitem__(self, place: int | slice) -> Example | list[Example]:
        """Raises ManifestError if the file is no longer what was indexed, and what opening and reading it raise."""
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        offset = int(self._offsets[place])
        with self._lock:
            if self._file is None:
                self._file = storage.open_to_read(self._uri)
            self._file.seek(offset)
            line = self._file.readline(MAX_LINE_BYTES + 1)
        problems: list[Problem] = []
        example = parse_line(line, self._uri, int(place) + 1, problems)
        if example is None:
            raise ManifestError(problems)
        return example

    def close(self) -> None:
        """Closes the file; asking for an example opens it again."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def __enter__(self) -> IndexedManifest:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def indexed(uri: str) -> IndexedManifest:
    """The manifest's examples, each read when it is asked for. Raises ManifestError. Reads the whole file once."""
    return IndexedManifest(uri, index_manifest(uri, lambda _: None, lambda _: None, check_audio=False))


def write_index(uri: str, offsets: Offsets) -> None:
    """Writes the offsets to a file; a reader sees the old one or the new one."""
    artifacts.write_bytes(uri, offsets.astype("<u8").tobytes())


def read_index(uri: str) -> Offsets:
    """The offsets of `write_index`."""
    return np.frombuffer(artifacts.read_bytes(uri), dtype="<u8")
