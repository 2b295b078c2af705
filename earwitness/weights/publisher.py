"""Publishes versions: chunks first, the manifest last."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import cast

from earwitness.redis_bulk import BulkClient
from earwitness.weights import anchor
from earwitness.weights.anchor import Tensor
from earwitness.weights.names import (
    COMMITS,
    LATEST,
    LEASES,
    NEWS,
    PREFIX,
    VERSIONS,
    chunk_key,
    manifest_key,
    version_name,
)
from earwitness.weights.shards import connect_shards, get_bytes, in_parallel
from earwitness.wire.weights.v1.weights_pb2 import VERSION_KIND_ANCHOR, ChunkEntry, Manifest, TensorEntry

KEPT_VERSIONS = 2
"""Newest versions kept without a lease: the one that is served and the one that is being fetched."""

KEYS_PER_COMMAND = 1000
"""Keys deleted or looked up at once: short enough not to hold up a server's other clients."""


class WeightPublisher:
    """Writes the versions of one lineage. One process per lineage; not for several threads at once."""

    def __init__(self, shards: Sequence[str | BulkClient], lineage: str) -> None:
        """`shards`: URLs, or clients from `connect_bulk`; `lineage`: `<job>/<n>`, without spaces."""
        if not lineage or any(c.isspace() for c in lineage):
            raise ValueError(f"a lineage has no spaces and is not empty: {lineage!r}")
        self._shards = connect_shards(shards)
        self._lineage = lineage
        self._swept = False
        folder = files("earwitness.weights") / "lua"
        self._commit_script = self._shards[0].register_script((folder / "commit.lua").read_text())
        self._retire_script = self._shards[0].register_script((folder / "retire.lua").read_text())

    def publish_anchor(self, version: int, tensors: Iterable[Tensor]) -> Manifest:
        """Publishes whole tensors as `version`, points `latest` at it, and deletes versions nobody needs.

        A version that is there already is left as it is, `tensors` are not drawn and its manifest is returned.
        `tensors` are drawn one by one; their bytes must not change before this returns. Raises `ValueError` for a
        tensor that is not what it says, `InfrastructureError` if a shard does not answer or is full.
        """
        existing = self._manifest(version)
        if existing is not None and self._is_whole(existing):
            return self._commit(existing)
        if existing is not None:  # a shard lost its part: nobody may read it while it is written again
            self._shards[0].delete(manifest_key(self._lineage, version))
        self._retire()
        self._sweep()
        entries: list[TensorEntry] = []
        chunks = in_parallel(
            lambda numbered: self._write(version, *numbered),
            enumerate(anchor.encode(tensors, entries)),
            len(self._shards),
        )
        manifest = Manifest(
            lineage=self._lineage, version=version, kind=VERSION_KIND_ANCHOR, base_version=version, chunks=list(chunks)
        )
        manifest.tensors.extend(entries)
        manifest.committed_at = time.time()
        committed = self._commit(manifest)
        self._retire()
        return committed

    def has(self, version: int) -> bool:
        """True if the version can be read whole; false after a shard restarted: then publish it again."""
        manifest = self._manifest(version)
        return manifest is not None and self._is_whole(manifest)

    def _manifest(self, version: int) -> Manifest | None:
        stored = get_bytes(self._shards[0], manifest_key(self._lineage, version))
        return Manifest.FromString(stored) if stored else None

    def _is_whole(self, manifest: Manifest) -> bool:
        return all(shard.exists(*keys) == len(keys) for shard, keys in self._keys_by_shard([manifest]))

    def _write(self, version: int, index: int, chunk: bytes | memoryview) -> ChunkEntry:
        key = chunk_key(self._lineage, version, index)
        shard = index % len(self._shards)
        self._shards[shard].set(key, chunk)
        return ChunkEntry(key=key, shard=shard, nbytes=len(chunk))

    def _commit(self, manifest: Manifest) -> Manifest:
        version = manifest.version
        keys = [manifest_key(self._lineage, version), VERSIONS, COMMITS, LATEST]
        name = version_name(self._lineage, version)
        stored = self._commit_script(keys, [manifest.SerializeToString(), name, self._lineage, version, NEWS])
        return Manifest.FromString(stored)

    def _retire(self) -> None:
        """Deletes versions that are neither among the newest nor leased: first what names them, then their bytes."""
        stored = self._retire_script([VERSIONS, LEASES], [KEPT_VERSIONS, PREFIX])
        for shard, keys in self._keys_by_shard([Manifest.FromString(manifest) for manifest in stored]):
            shard.unlink(*keys)

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
