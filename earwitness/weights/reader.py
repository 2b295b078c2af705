"""Fetches versions and verifies every tensor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files

import numpy as np

from earwitness.parallel import in_parallel
from earwitness.redis_bulk import BulkClient
from earwitness.redis_client import Patience
from earwitness.weights.chunks import Parts, spread
from earwitness.weights.errors import ChecksumError, MissingVersion, WrongBase
from earwitness.weights.manifest import nbytes, unseal
from earwitness.weights.names import (
    DAMAGED,
    LATEST,
    LEASES,
    damage_name,
    manifest_key,
    parse_version,
    version_name,
)
from earwitness.weights.shards import STREAMS_PER_SHARD, connect_shards, get_bytes
from earwitness.weights.store import Folder, Store
from earwitness.weights.tensors import verify
from earwitness.wire.weights.v1.weights_pb2 import (
    VERSION_KIND_ANCHOR,
    VERSION_KIND_DELTA,
    ChunkEntry,
    Manifest,
    TensorEntry,
)

LEASE_SECONDS = 60
"""A worker that has not renewed its lease for so long is gone; workers renew every few seconds."""


class WeightReader:
    """Reads versions of any lineage. Its methods block; call them from a thread of their own beside an event loop."""

    def __init__(self, shards: Sequence[str | BulkClient], at_first: Patience | None = None) -> None:
        """`shards`: URLs, or clients from `connect_bulk`, in the publisher's order; `at_first`: as of that."""
        self._shards = connect_shards(shards, at_first)
        lease = (files("earwitness.weights") / "lua" / "lease.lua").read_text()
        self._lease_script = self._shards[0].register_script(lease)

    def latest(self) -> tuple[str, int] | None:
        """(lineage, version) to serve; None if nothing was published."""
        stored = get_bytes(self._shards[0], LATEST)
        return parse_version(stored.decode()) if stored else None

    def manifest(self, lineage: str, version: int) -> Manifest:
        """The manifest of a committed version. Raises `MissingVersion`, or `ChecksumError` if it is damaged."""
        stored = get_bytes(self._shards[0], manifest_key(lineage, version))
        if stored is None:
            raise MissingVersion(lineage, version, "no manifest")
        return unseal(lineage, version, stored)

    def lease(self, worker: str, lineage: str, version: int) -> None:
        """Keeps a version from being deleted for 60 s, in place of the worker's lease before. Raises `MissingVersion`.

        Take it before `fetch` and renew it while fetching.
        """
        name = version_name(lineage, version)
        if not self._lease_script([manifest_key(lineage, version), LEASES], [worker, name, LEASE_SECONDS]):
            raise MissingVersion(lineage, version, "no manifest to lease")

    def report_damage(self, manifest: Manifest) -> None:
        """Tells the publisher that the version's bytes are not what its manifest says."""
        self._shards[0].sadd(DAMAGED, damage_name(manifest.lineage, manifest.version, manifest.committed_at))

    def release(self, worker: str) -> None:
        """Gives the worker's lease back."""
        self._shards[0].hdel(LEASES, worker)

    def chain(self, lineage: str, version: int, held: int | None = None) -> list[Manifest]:
        """What to apply, in order, to get to `version`: from version `held` of the lineage if deltas lead on from it
        and are less than the newest anchor, else from that. Empty if `version` is held.

        Raises `MissingVersion`, or `ChecksumError` if a manifest is damaged.
        """
        if held is not None:
            try:
                return self._back_to(held, lineage, version)
            except MissingVersion:
                pass  # what leads on from there is gone
        return self._back_to(None, lineage, version)

    def _back_to(self, held: int | None, lineage: str, version: int) -> list[Manifest]:
        """The chain that ends in `held`, or in an anchor."""
        chain: list[Manifest] = []
        size = 0
        while version != held:
            manifest = self.manifest(lineage, version)
            if manifest.HasField("step") and held is not None and size + nbytes(manifest.step) < nbytes(manifest):
                manifest = manifest.step
            chain.append(manifest)
            size += nbytes(manifest)
            if manifest.kind == VERSION_KIND_ANCHOR:
                break
            if manifest.kind != VERSION_KIND_DELTA or manifest.base_version >= version:
                raise WrongBase(lineage, version, f"it is of kind {manifest.kind}, on version {manifest.base_version}")
            version = manifest.base_version
        return chain[::-1]

    def fetch(
        self, manifest: Manifest, memory: Mapping[str, np.ndarray] | None = None
    ) -> Iterator[tuple[TensorEntry, np.ndarray]]:
        """Every tensor of an anchor in the manifest's order: its entry and its bytes, uint8 [nbytes], for the caller.

        Chunks are fetched ahead over all shards, straight to where they belong: buffers in `memory` that fit a tensor
        by name and size, since fresh pages are slow, else new ones. Raises `MissingVersion` if a chunk is gone,
        `ChecksumError` before a tensor that does not match is given out, `WrongBase` for a version that is not whole.
        """
        if manifest.kind != VERSION_KIND_ANCHOR:
            raise WrongBase(manifest.lineage, manifest.version, f"it applies to version {manifest.base_version} only")
        return self._verified(manifest, memory or {})

    def _verified(
        self, manifest: Manifest, memory: Mapping[str, np.ndarray]
    ) -> Iterator[tuple[TensorEntry, np.ndarray]]:
        for entry, buffer in self._arriving(manifest, memory):
            verify(manifest, entry, buffer)
            yield entry, buffer

    def records(self, manifest: Manifest) -> Iterator[tuple[TensorEntry, np.ndarray]]:
        """Every tensor of a delta in the manifest's order: its entry and its record, uint8 [nbytes], see `delta`.

        Raises as `fetch`; nothing is verified before the record has been applied.
        """
        return self._arriving(manifest, {})

    def _arriving(
        self, manifest: Manifest, memory: Mapping[str, np.ndarray]
    ) -> Iterator[tuple[TensorEntry, np.ndarray]]:
        """The entries with their bytes of the version's byte string, in order."""
        buffers = []
        for entry in manifest.tensors:
            buffer = memory.get(entry.name)
            if buffer is None or buffer.nbytes != entry.nbytes:
                buffer = np.empty(entry.nbytes, np.uint8)
            buffers.append(buffer)
        try:
            plan = spread((chunk.nbytes for chunk in manifest.chunks), (buffer.data for buffer in buffers))
        except ValueError as error:
            raise ChecksumError(manifest.lineage, manifest.version, str(error)) from error
        waiting = zip(manifest.tensors, buffers, strict=True)
        arrived = 0
        folder = Folder(manifest.chunks_uri) if manifest.chunks_uri else None
        there = in_parallel(
            lambda numbered: self._read(manifest, folder, *numbered),
            zip(manifest.chunks, plan, strict=True),
            STREAMS_PER_SHARD * len(self._shards),
        )
        for entry, buffer in waiting:
            while arrived < entry.offset + entry.nbytes:
                arrived += next(there)
            yield entry, buffer

    def _read(self, manifest: Manifest, folder: Folder | None, chunk: ChunkEntry, parts: Parts) -> int:
        """Reads a chunk to where it belongs; its length, bytes."""
        if folder is None and chunk.shard >= len(self._shards):
            problem = f"chunk {chunk.key} is on shard {chunk.shard}, but {len(self._shards)} are configured"
            raise MissingVersion(manifest.lineage, manifest.version, problem)
        place: Store = folder or self._shards[chunk.shard]
        found = place.get_into(chunk.key, parts)
        if found is None:
            raise MissingVersion(manifest.lineage, manifest.version, f"chunk {chunk.key} is gone")
        if found != chunk.nbytes:
            problem = f"chunk {chunk.key} has {found} bytes; expected {chunk.nbytes}"
            raise ChecksumError(manifest.lineage, manifest.version, problem)
        return found
