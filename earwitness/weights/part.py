"""One trainer rank's share of each version: its own tensors, compared with the bits it committed last, in chunks.

A version is the parts of all ranks one after another. Each writes its chunks by itself; nobody can read them before
the publisher has joined the parts' tables in one manifest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

import numpy as np

from earwitness.errors import InfrastructureError
from earwitness.parallel import in_parallel
from earwitness.redis_bulk import BulkClient
from earwitness.weights import delta
from earwitness.weights.assembly import DELTA_SHARE, Verb
from earwitness.weights.chunks import Parts, split
from earwitness.weights.names import CHUNK_BYTES, chunk_key
from earwitness.weights.shards import CPU_THREADS, CPU_WINDOW, STREAMS_PER_SHARD, connect_shards
from earwitness.weights.store import Folder, Store
from earwitness.weights.tensors import ELEMENTS, Checked, Tensor, checked, digest
from earwitness.wire.weights.v1.weights_pb2 import ChunkEntry, Manifest, TensorEntry

DELTA_CHUNK_BYTES = CHUNK_BYTES // 8
"""Chunks of a delta are smaller: the first is on the wire while the rest is still being encoded."""

FOLDER_CHUNK_BYTES = 16 * CHUNK_BYTES
"""Chunks in a folder are larger: each is a file, and a request to a bucket."""


class WeightPart:
    """Writes one part of the versions of a lineage. Not for several threads at once."""

    def __init__(self, shards: Sequence[str | BulkClient], lineage: str, part: int = 0, anchors_uri: str = "") -> None:
        """`shards`, `anchors_uri`: as for `WeightPublisher`; `part`: number of this one among the lineage's."""
        self._shards = connect_shards(shards)
        self._anchors = Folder(anchors_uri) if anchors_uri else None
        self._lineage = lineage
        self._part = part
        self._committed: dict[str, Checked] | None = None
        self._written: dict[str, Checked] | None = None
        self._sent: list[tuple[int, str]] = []
        """Shards and keys of the delta that was written last."""

    def obey(self, verb: Verb, version: int, tensors: Iterable[Tensor], *, keep: bool = True) -> Manifest | None:
        """Carries out an order to write, with the tensors of `version`: the table, or None as of `delta`."""
        if verb is Verb.DELTA:
            return self.delta(version, tensors)
        if verb is Verb.INSTEAD:
            self.drop_delta()
        return self.whole(version, tensors, keep=keep)

    def end(self, verb: Verb) -> None:
        """Carries out an order that ends an attempt."""
        if verb is not Verb.THERE:
            self.settle(committed=verb is Verb.KEEP)

    def delta(self, version: int, tensors: Iterable[Tensor]) -> Manifest | None:
        """Writes what changed since the version that was committed last, and returns the table of it.

        None if these are not the same tensors, or too much changed: then write `whole` tensors. The tensors' bytes are
        kept for the next comparison if this version is committed: leave them as they are until a later one is.
        Raises `ValueError` for a tensor that is not what it says, `InfrastructureError` if a shard does not answer or
        is full.
        """
        base, new = self._committed, {tensor[0]: tensor for tensor in checked(tensors)}
        self._written = None
        if base is None or [t[:3] for t in base.values()] != [t[:3] for t in new.values()]:
            return None
        self._sent = []
        limit = DELTA_SHARE * sum(view.nbytes for *_, view in new.values())
        entries: list[TensorEntry] = []
        try:
            chunks = self._send(version, split(_records(base, new, entries, limit), DELTA_CHUNK_BYTES), whole=False)
        except _TooMuch:
            self.drop_delta()
            return None
        self._written = new
        return Manifest(tensors=entries, chunks=chunks)

    def whole(self, version: int, tensors: Iterable[Tensor], *, keep: bool) -> Manifest:
        """Writes whole tensors and returns the table of them.

        With `keep` they are kept as by `delta`. Without, they are drawn one by one, and no delta can follow.
        """
        self._written = None
        new: dict[str, Checked] = {}
        entries: list[TensorEntry] = []

        def drawn() -> Iterator[memoryview]:
            for tensor in checked(tensors):
                name, dtype, shape, view = tensor
                entry = TensorEntry(name=name, dtype=dtype, shape=shape, nbytes=view.nbytes, xxh3_128=digest(view))
                entries.append(entry)
                if keep:
                    new[name] = tensor
                yield view

        chunk_bytes = FOLDER_CHUNK_BYTES if self._anchors else CHUNK_BYTES
        chunks = self._send(version, split(drawn(), chunk_bytes), whole=True)
        if keep:
            self._written = new
        return Manifest(tensors=entries, chunks=chunks)

    def settle(self, *, committed: bool) -> None:
        """Says whether what was written last became the version; if not, the bits before it stay those to compare
        with."""
        if committed:
            self._committed, self._sent = self._written, []
        self._written = None

    def drop_delta(self) -> None:
        """Deletes the delta that was written last, which no manifest will name. What a shard that is down keeps is
        swept by the next publisher."""
        for index, shard in enumerate(self._shards):
            if keys := [key for at, key in self._sent if at == index]:
                with suppress(InfrastructureError):
                    shard.unlink(*keys)
        self._sent = []

    def _send(self, version: int, chunks: Iterable[Parts], *, whole: bool) -> list[ChunkEntry]:
        threads = STREAMS_PER_SHARD * len(self._shards)
        return list(in_parallel(lambda numbered: self._write(version, *numbered, whole), enumerate(chunks), threads))

    def _write(self, version: int, index: int, parts: Parts, whole: bool) -> ChunkEntry:
        key = chunk_key(self._lineage, version, self._part, index, whole=whole)
        shard = (version + self._part + index) % len(self._shards)  # small versions do not all go to the first
        if not whole:
            self._sent.append((shard, key))
        place: Store = self._anchors if whole and self._anchors else self._shards[shard]
        place.put(key, parts)
        return ChunkEntry(key=key, shard=shard, nbytes=sum(part.nbytes for part in parts))


class _TooMuch(Exception):
    """The records have more bytes than they may."""


def _records(
    old: Mapping[str, Checked], new: Mapping[str, Checked], entries: list[TensorEntry], limit: float
) -> Iterator[bytes | memoryview]:
    """The records of the tensors, whose entries are appended as they are drawn. Raises `_TooMuch`.

    Segments of several tensors are encoded side by side, and the tensors hashed beside them.
    """

    def work(job: tuple[str, int]) -> bytes | list[bytes | memoryview]:
        name, start = job
        _, dtype, _, view = new[name]
        if start == _HASH:
            return digest(view)
        bits = slice(start, start + delta.SEGMENT)
        return delta.encode(_elements(dtype, old[name][3])[bits], _elements(dtype, view)[bits])

    jobs = [
        (name, start)
        for name, (_, dtype, _, view) in new.items()
        for start in (*range(0, view.nbytes // ELEMENTS[dtype].itemsize, delta.SEGMENT), _HASH)
    ]
    total = 0
    record: list[bytes | memoryview] = []
    unchanged = 0
    for (name, start), result in zip(jobs, in_parallel(work, jobs, CPU_THREADS, CPU_WINDOW), strict=True):
        if start != _HASH:
            assert isinstance(result, list)
            if not result:
                unchanged += 1
                continue
            record += [delta.UNCHANGED] * unchanged + result
            unchanged = 0
            continue
        assert isinstance(result, bytes)
        if record:
            record += [delta.UNCHANGED] * unchanged
        _, dtype, shape, _ = new[name]
        size = sum(map(len, record))
        entries.append(TensorEntry(name=name, dtype=dtype, shape=shape, nbytes=size, xxh3_128=result))
        total += size
        if total > limit:
            raise _TooMuch
        yield from record
        record, unchanged = [], 0


_HASH = -1
"""In the place of a segment's start: the whole tensor's digest."""


def _elements(dtype: str, view: memoryview) -> np.ndarray:
    return np.frombuffer(view, ELEMENTS[dtype])
