"""Publishes versions: chunks first, the manifest last."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import cast

import numpy as np
import xxhash

from earwitness.redis_bulk import BulkClient
from earwitness.weights import anchor, delta
from earwitness.weights.anchor import Tensor
from earwitness.weights.chunks import split
from earwitness.weights.host_copy import Held
from earwitness.weights.names import (
    BASES,
    COMMITS,
    DAMAGED,
    LATEST,
    LEASES,
    NEWS,
    PREFIX,
    VERSIONS,
    chunk_key,
    damage_name,
    manifest_key,
    version_name,
)
from earwitness.weights.shards import CPU_THREADS, STREAMS_PER_SHARD, connect_shards, get_bytes, in_parallel
from earwitness.wire.weights.v1.weights_pb2 import (
    VERSION_KIND_ANCHOR,
    VERSION_KIND_DELTA,
    ChunkEntry,
    Manifest,
    TensorEntry,
)

KEPT_VERSIONS = 2
"""Newest versions kept without a lease: the one that is served and the one that is being fetched."""

KEYS_PER_COMMAND = 1000
"""Keys deleted or looked up at once: short enough not to hold up a server's other clients."""


ANCHOR_EVERY = 20
"""Every so many versions are whole: bounds what a joining worker has to apply, and how long a damaged delta hurts."""

DELTA_SHARE = 1 / 3
"""Of the model's bytes, for the deltas since the last anchor together: bounds what a joining worker fetches and what
the shards hold, and a single delta of that size saves too little."""


class WeightPublisher:
    """Writes the versions of one lineage. One process per lineage; not for several threads at once."""

    def __init__(self, shards: Sequence[str | BulkClient], lineage: str, anchor_every: int = ANCHOR_EVERY) -> None:
        """`shards`: URLs, or clients from `connect_bulk`; `lineage`: `<job>/<n>`, without spaces."""
        if not lineage or any(c.isspace() for c in lineage):
            raise ValueError(f"a lineage has no spaces and is not empty: {lineage!r}")
        self._shards = connect_shards(shards)
        self._lineage = lineage
        self._anchor_every = anchor_every
        self._committed: dict[str, Held] = {}
        """The bits of the newest version; while a version is being written they may be in between."""
        self._chain: list[Manifest] = []
        """From the newest anchor to the version whose bits are held; empty if they cannot be built upon."""
        self._swept = False
        folder = files("earwitness.weights") / "lua"
        self._commit_script = self._shards[0].register_script((folder / "commit.lua").read_text())
        self._retire_script = self._shards[0].register_script((folder / "retire.lua").read_text())

    def publish(self, version: int, tensors: Iterable[Tensor]) -> Manifest:
        """Publishes `version`, points `latest` at it, and deletes versions nobody needs.

        As a delta against the version that was published last, if that can still be read, the delta is small enough
        and the last anchor is not too long ago; else as an anchor. For that a copy of the tensors is kept, so theirs
        may change once they are drawn and the next is asked for. Otherwise as `publish_anchor`.
        """
        if (existing := self._existing(version)) is not None:
            return self._commit(existing)
        chain, self._chain = self._chain, []
        self._prepare()
        drawn = anchor.checked(tensors)
        entries: list[TensorEntry] = []
        manifest = None
        if 0 < len(chain) < self._anchor_every and self._is_whole(chain):
            size = sum(held.data.nbytes for held in self._committed.values())
            limit = size * DELTA_SHARE - sum(map(_nbytes, chain[1:]))
            try:
                chunks = self._send(version, split(self._changes(drawn, entries, limit)))
                manifest = Manifest(
                    kind=VERSION_KIND_DELTA, base_version=chain[-1].version, tensors=entries, chunks=chunks
                )
            except _NoDelta:
                pass  # what was drawn is held; the rest is still to come
        if manifest is None:
            chain = []
            chunks = self._send(version, split(self._whole(drawn, entries)))
            manifest = Manifest(kind=VERSION_KIND_ANCHOR, base_version=version, tensors=entries, chunks=chunks)
        committed = self._finish(version, manifest)
        if committed == manifest:  # else another's version, of other bits, was there first
            self._chain = [*chain, committed]
        return committed

    def publish_anchor(self, version: int, tensors: Iterable[Tensor]) -> Manifest:
        """Publishes whole tensors as `version`, points `latest` at it, and deletes versions nobody needs.

        A version that is there already is left as it is, `tensors` are not drawn and its manifest is returned.
        `tensors` are drawn one by one; their bytes must not change before this returns. Raises `ValueError` for a
        tensor that is not what it says, `InfrastructureError` if a shard does not answer or is full.
        """
        if (existing := self._existing(version)) is not None:
            return self._commit(existing)
        self._chain = []
        self._prepare()
        entries: list[TensorEntry] = []
        chunks = self._send(version, anchor.encode(tensors, entries))
        manifest = Manifest(kind=VERSION_KIND_ANCHOR, base_version=version, tensors=entries, chunks=chunks)
        return self._finish(version, manifest)

    def has(self, version: int) -> bool:
        """True if the version can be read whole; false after a shard restarted, or if a reader found it damaged: then
        publish it again."""
        chain: list[Manifest] = []
        while not chain or chain[-1].kind == VERSION_KIND_DELTA:
            manifest = self._manifest(chain[-1].base_version if chain else version)
            if manifest is None:
                return False
            chain.append(manifest)
        return self._is_whole(chain)

    def _existing(self, version: int) -> Manifest | None:
        """The version if it can be read whole; takes its manifest back if not: nobody may read it while it is written
        again."""
        existing = self._manifest(version)
        if existing is None or self.has(version):
            return existing
        self._shards[0].delete(manifest_key(self._lineage, version))
        self._shards[0].srem(DAMAGED, *_damage_names([existing]))
        self._chain = []
        return None

    def _prepare(self) -> None:
        self._retire()
        self._sweep()

    def _changes(
        self, drawn: Iterable[tuple[str, str, Sequence[int], memoryview]], entries: list[TensorEntry], limit: float
    ) -> Iterator[bytes | memoryview]:
        """The records of the tensors, which the copy follows. Raises `_NoDelta` after a tensor whose entry was added:
        when the records have more than `limit` bytes, or are not of the tensors that are held."""
        offset = 0
        with ThreadPoolExecutor(CPU_THREADS, thread_name_prefix="encode") as threads:
            for name, dtype, shape, view in drawn:
                held = self._committed.get(name)
                if held is None or (held.dtype, held.shape) != (dtype, tuple(shape)):
                    entries.append(self._hold(name, dtype, shape, view))
                    raise _NoDelta
                record, digest = delta.advance(held.elements, np.frombuffer(view, delta.ELEMENTS[dtype]), threads)
                nbytes = sum(map(len, record))
                entries.append(
                    TensorEntry(name=name, dtype=dtype, shape=shape, offset=offset, nbytes=nbytes, xxh3_128=digest)
                )
                offset += nbytes
                if offset > limit:
                    raise _NoDelta
                yield from record
        if len(entries) != len(self._committed):
            raise _NoDelta

    def _whole(
        self, drawn: Iterable[tuple[str, str, Sequence[int], memoryview]], entries: list[TensorEntry]
    ) -> Iterator[memoryview]:
        """The bytes of the tensors that have entries, then of those that are still to be drawn."""
        offset = 0
        for entry in entries:
            data = self._committed[entry.name].data
            entry.offset, entry.nbytes = offset, data.nbytes
            offset += data.nbytes
            yield data.data
        for name, dtype, shape, view in drawn:
            entry = self._hold(name, dtype, shape, view)
            entry.offset = offset
            entries.append(entry)
            offset += entry.nbytes
            yield self._committed[name].data.data
        names = {entry.name for entry in entries}
        self._committed = {name: held for name, held in self._committed.items() if name in names}

    def _hold(self, name: str, dtype: str, shape: Sequence[int], view: memoryview) -> TensorEntry:
        """Copies a tensor."""
        held = self._committed.get(name)
        if held is None or (held.dtype, held.shape) != (dtype, tuple(shape)):
            held = self._committed[name] = Held(dtype, tuple(shape), np.empty(view.nbytes, np.uint8))
        held.data[:] = np.frombuffer(view, np.uint8)
        digest = xxhash.xxh3_128_digest(held.data.data)
        return TensorEntry(name=name, dtype=dtype, shape=shape, nbytes=view.nbytes, xxh3_128=digest)

    def _send(self, version: int, chunks: Iterable[bytes | memoryview]) -> list[ChunkEntry]:
        threads = STREAMS_PER_SHARD * len(self._shards)
        return list(in_parallel(lambda numbered: self._write(version, *numbered), enumerate(chunks), threads))

    def _finish(self, version: int, manifest: Manifest) -> Manifest:
        manifest.lineage, manifest.version, manifest.committed_at = self._lineage, version, time.time()
        committed = self._commit(manifest)
        self._retire()
        return committed

    def _manifest(self, version: int) -> Manifest | None:
        stored = get_bytes(self._shards[0], manifest_key(self._lineage, version))
        return Manifest.FromString(stored) if stored else None

    def _is_whole(self, chain: Sequence[Manifest]) -> bool:
        """True if everything is there and no reader has found it damaged."""
        first = self._shards[0]
        manifests = [manifest_key(manifest.lineage, manifest.version) for manifest in chain]
        return (
            first.exists(*manifests) == len(manifests)
            and not any(cast(list[int], first.smismember(DAMAGED, _damage_names(chain))))
            and all(shard.exists(*keys) == len(keys) for shard, keys in self._keys_by_shard(chain))
        )

    def _write(self, version: int, index: int, chunk: bytes | memoryview) -> ChunkEntry:
        key = chunk_key(self._lineage, version, index)
        shard = (version + index) % len(self._shards)  # small versions do not all go to the first
        self._shards[shard].set(key, chunk)
        return ChunkEntry(key=key, shard=shard, nbytes=len(chunk))

    def _commit(self, manifest: Manifest) -> Manifest:
        version = manifest.version
        keys = [manifest_key(self._lineage, version), VERSIONS, COMMITS, LATEST, BASES]
        name = version_name(self._lineage, version)
        base = version_name(self._lineage, manifest.base_version) if manifest.kind == VERSION_KIND_DELTA else ""
        stored = self._commit_script(keys, [manifest.SerializeToString(), name, self._lineage, version, NEWS, base])
        return Manifest.FromString(stored)

    def _retire(self) -> None:
        """Deletes versions that are neither among the newest nor leased: first what names them, then their bytes."""
        stored = self._retire_script([VERSIONS, LEASES, BASES], [KEPT_VERSIONS, PREFIX])
        retired = [Manifest.FromString(manifest) for manifest in stored]
        for shard, keys in self._keys_by_shard(retired):
            shard.unlink(*keys)
        if retired:
            self._shards[0].srem(DAMAGED, *_damage_names(retired))

    def _sweep(self) -> None:
        """Once per publisher: deletes chunks of versions that were never committed or whose deletion was cut short."""
        if self._swept:
            return
        names = cast(list[bytes], self._shards[0].zrange(VERSIONS, 0, -1))
        kept = {PREFIX + name.decode().replace(" ", ":") for name in names}
        for shard in self._shards:
            chunks = (
                key for key in shard.scan_iter(PREFIX + "*", KEYS_PER_COMMAND) if key.rsplit(b":", 1)[-1].isdigit()
            )
            orphans = [key for key in chunks if key.decode().rsplit(":", 1)[0] not in kept]
            for start in range(0, len(orphans), KEYS_PER_COMMAND):
                shard.unlink(*orphans[start : start + KEYS_PER_COMMAND])
        self._swept = True

    def _keys_by_shard(self, manifests: Sequence[Manifest]) -> Iterable[tuple[BulkClient, list[str]]]:
        for index, shard in enumerate(self._shards):
            keys = [chunk.key for manifest in manifests for chunk in manifest.chunks if chunk.shard == index]
            for start in range(0, len(keys), KEYS_PER_COMMAND):
                yield shard, keys[start : start + KEYS_PER_COMMAND]


class _NoDelta(Exception):
    """This version cannot be a delta, or should not."""


def _nbytes(manifest: Manifest) -> int:
    return sum(chunk.nbytes for chunk in manifest.chunks)


def _damage_names(manifests: Sequence[Manifest]) -> list[str]:
    return [damage_name(manifest.lineage, manifest.version, manifest.committed_at) for manifest in manifests]
