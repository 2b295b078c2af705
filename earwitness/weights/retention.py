"""Which versions stay on the shards, and whether they are still there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import cast

from google.protobuf.message import DecodeError

from earwitness.redis_bulk import BulkClient
from earwitness.weights.manifest import DIGEST_BYTES
from earwitness.weights.names import BASES, DAMAGED, LEASES, PREFIX, VERSIONS, damage_name, manifest_key
from earwitness.weights.store import Folder, Store
from earwitness.wire.weights.v1.weights_pb2 import Manifest

KEPT_VERSIONS = 2
"""Newest versions kept without a lease: the one that is served and the one that is being fetched."""

KEYS_PER_COMMAND = 1000
"""Keys deleted or looked up at once: short enough not to hold up a server's other clients."""


class Retention:
    """The publisher's: nobody else deletes."""

    def __init__(self, shards: Sequence[BulkClient], anchors_uri: str) -> None:
        """`anchors_uri`: as the publisher's. Folders of earlier publishers are found in their manifests."""
        self._shards = shards
        self._own = Folder(anchors_uri) if anchors_uri else None
        self._swept = False
        script = (files("earwitness.weights") / "lua" / "retire.lua").read_text()
        self._retire_script = shards[0].register_script(script)

    def retire(self) -> None:
        """Deletes versions that are neither among the newest nor leased: first what names them, then their bytes."""
        stored = self._retire_script([VERSIONS, LEASES, BASES], [KEPT_VERSIONS, PREFIX])
        retired = [manifest for content in stored if (manifest := _parsed(content)) is not None]
        for place, keys in self._places([*retired, *(manifest.step for manifest in retired)]):
            place.unlink(*keys)
        if retired:
            self._shards[0].srem(DAMAGED, *_damage_names(retired))

    def sweep(self) -> None:
        """Once per publisher: deletes chunks of versions that were never committed or whose deletion was cut short."""
        if self._swept:
            return
        names = cast(list[bytes], self._shards[0].zrange(VERSIONS, 0, -1))
        kept = {PREFIX + name.decode().replace(" ", ":") for name in names}
        stored: list[tuple[Store, Iterable[str]]] = [
            (shard, (key.decode() for key in shard.scan_iter(PREFIX + "*", KEYS_PER_COMMAND))) for shard in self._shards
        ]
        if self._own is not None:
            stored.append((self._own, self._own.keys()))
        for place, keys in stored:
            chunks = (key.rsplit(":", 1) for key in keys)
            orphans = [":".join(parts) for parts in chunks if parts[1][:1].isdigit() and parts[0] not in kept]
            for start in range(0, len(orphans), KEYS_PER_COMMAND):
                place.unlink(*orphans[start : start + KEYS_PER_COMMAND])
        self._swept = True

    def is_whole(self, chain: Sequence[Manifest]) -> bool:
        """True if everything is there and no reader has found it damaged."""
        first = self._shards[0]
        manifests = [manifest_key(manifest.lineage, manifest.version) for manifest in chain]
        return (
            first.exists(*manifests) == len(manifests)
            and not any(cast(list[int], first.smismember(DAMAGED, _damage_names(chain))))
            and all(place.exists(*keys) == len(keys) for place, keys in self._places(chain))
        )

    def _places(self, manifests: Sequence[Manifest]) -> Iterable[tuple[Store, list[str]]]:
        """Where the manifests' chunks lie, some keys at a time."""
        for index, shard in enumerate(self._shards):
            inside = [manifest for manifest in manifests if not manifest.chunks_uri]
            keys = [chunk.key for manifest in inside for chunk in manifest.chunks if chunk.shard == index]
            for start in range(0, len(keys), KEYS_PER_COMMAND):
                yield shard, keys[start : start + KEYS_PER_COMMAND]
        for manifest in manifests:
            if manifest.chunks_uri:
                yield Folder(manifest.chunks_uri), [chunk.key for chunk in manifest.chunks]


def _parsed(stored: bytes) -> Manifest | None:
    """A manifest that is to be deleted, if it can be read; if not, the next publisher's `sweep` finds its chunks."""
    try:
        return Manifest.FromString(stored[DIGEST_BYTES:])
    except DecodeError:
        return None


def _damage_names(manifests: Sequence[Manifest]) -> list[str]:
    return [damage_name(manifest.lineage, manifest.version, manifest.committed_at) for manifest in manifests]
