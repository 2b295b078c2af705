"""Where chunks lie: the one interface through which large values move."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from earwitness.errors import InfrastructureError
from earwitness.storage import store
from earwitness.weights.names import PREFIX


class Store(Protocol):
    """Values by key. A `BulkClient` is one, a `Folder` another; both may be used by several threads.

    Not promised: that a value that is being written looks whole to others, or that one that was written stays. What is
    read is believed only after its checksum.
    """

    def put(self, key: str, parts: Sequence[memoryview]) -> None:
        """Writes the parts one after another. Raises `InfrastructureError`."""

    def get_into(self, key: str, parts: Sequence[memoryview]) -> int | None:
        """Reads the value into the parts: its length in bytes, or None if there is no such key.

        A value of another length than theirs is not read. Raises `InfrastructureError`.
        """

    def exists(self, *keys: str) -> Any:
        """How many of the keys are there."""

    def unlink(self, *keys: str) -> Any:
        """Deletes those of the keys that are there."""


class Folder:
    """Chunks as files under an fsspec URI: a volume that trainer and workers share, or a bucket.

    For anchors of models that outgrow the memory of the shards. What is small and what changes stays in Redis.
    """

    def __init__(self, uri: str) -> None:
        """Raises `InputError` if the URI is not of a kind that is known."""
        self.uri = uri
        self._files, self._path = store(uri)
        self._made: set[str] = set()
        self._lock = threading.Lock()

    def put(self, key: str, parts: Sequence[memoryview]) -> None:
        path = self._place(key)
        with self._answering():
            self._make(path.rsplit("/", 1)[0])
            with self._files.open(path, "wb") as file:
                for part in parts:
                    file.write(part)

    def get_into(self, key: str, parts: Sequence[memoryview]) -> int | None:
        path, wanted = self._place(key), sum(part.nbytes for part in parts)
        with (
            self._answering(),
            suppress(FileNotFoundError),
            self._files.open(path, "rb", cache_type="none") as file,
        ):
            if (found := int(self._files.size(path))) != wanted:
                return found
            return sum(_fill(file, part) for part in parts)
        return None

    def exists(self, *keys: str) -> int:
        with self._answering():
            return sum(bool(self._files.exists(self._place(key))) for key in keys)

    def unlink(self, *keys: str) -> None:
        for key in keys:
            with self._answering(), suppress(FileNotFoundError):
                self._files.rm_file(self._place(key))

    def keys(self) -> Iterable[str]:
        """All that is there."""
        self._files.invalidate_cache()
        root = self._files._strip_protocol(self._path).rstrip("/") + "/"
        for path in self._files.find(self._path):
            *lineage, version, chunk = self._files._strip_protocol(path).removeprefix(root).split("/")
            yield f"{PREFIX}{'/'.join(lineage)}:{version}:{chunk}"

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """What goes wrong within is the store's."""
        try:
            yield
        except OSError as error:
            raise InfrastructureError(self.uri, 0.0, str(error)) from error

    def _place(self, key: str) -> str:
        return f"{self._path.rstrip('/')}/{key.removeprefix(PREFIX).replace(':', '/')}"

    def _make(self, folder: str) -> None:
        with self._lock:
            if folder not in self._made:
                self._files.makedirs(folder, exist_ok=True)
                self._made.add(folder)


def _fill(file: Any, part: memoryview) -> int:
    """Reads as many bytes as the part has, or to the end of the file."""
    filled = 0
    while filled < part.nbytes:
        data = file.read(part.nbytes - filled)
        if not data:
            break
        part[filled : filled + len(data)] = data
        filled += len(data)
    return filled
