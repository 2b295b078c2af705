"""Publishes versions: the parts' chunks first, the manifest that joins them last."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Sequence
from importlib.resources import files

from earwitness.errors import InfrastructureError
from earwitness.redis_bulk import BulkClient
from earwitness.weights.assembly import Answer, Assembly, Order, Verb
from earwitness.weights.errors import ChecksumError
from earwitness.weights.manifest import seal, unseal
from earwitness.weights.names import (
    BASES,
    COMMITS,
    DAMAGED,
    LATEST,
    NEWS,
    VERSIONS,
    damage_name,
    manifest_key,
    version_name,
)
from earwitness.weights.part import WeightPart
from earwitness.weights.retention import Retention
from earwitness.weights.shards import connect_shards, get_bytes
from earwitness.weights.tensors import Tensor
from earwitness.wire.weights.v1.weights_pb2 import VERSION_KIND_ANCHOR, VERSION_KIND_DELTA, Manifest

ANCHOR_EVERY = 20
"""Every so many versions are whole: bounds what a joining worker has to apply, and how long a damaged delta hurts."""


class WeightPublisher:
    """Commits the versions of one lineage. One process per lineage; not for several threads at once.

    One process calls `publish`. Several ranks have a `WeightPart` each: the one with the publisher iterates `assemble`,
    hands each order to all, and sends back what their parts answered. `publish` does the same with its own part.
    """

    def __init__(
        self,
        shards: Sequence[str | BulkClient],
        lineage: str,
        anchor_every: int = ANCHOR_EVERY,
        anchors_uri: str = "",
    ) -> None:
        """`shards`: URLs, or clients from `connect_bulk`; `lineage`: `<job>/<n>`, without spaces; `anchors_uri`: folder
        for the bytes of anchors, which readers must reach too; without it they go to the shards."""
        if not lineage or any(c.isspace() for c in lineage):
            raise ValueError(f"a lineage has no spaces and is not empty: {lineage!r}")
        self._shards = connect_shards(shards)
        self._lineage = lineage
        self._anchor_every = anchor_every
        self._part = WeightPart(self._shards, lineage, anchors_uri=anchors_uri)
        self._anchors_uri = anchors_uri
        self._retention = Retention(self._shards, anchors_uri)
        self._chain: list[Manifest] = []
        """From the newest anchor to the version that was committed last; empty if nothing can be built upon it."""
        script = (files("earwitness.weights") / "lua" / "commit.lua").read_text()
        self._commit_script = self._shards[0].register_script(script)

    def publish(self, version: int, tensors: Iterable[Tensor]) -> Manifest:
        """Publishes `version`, points `latest` at it, and deletes versions nobody needs.

        As a delta against the version that was published last, if that can still be read and the delta is small enough.
        As an anchor if not, or if the last one is too long ago: then also as a delta, for the readers that follow. A
        version that is there already is left as it is, and its manifest returned. The tensors' bytes are kept: leave
        them as they are until a later version has been published. Raises `ValueError` for a tensor that is not what it
        says, `InfrastructureError` if a shard does not answer or is full, or if a later lineage of the job is served;
        nothing is committed then, and the next version builds upon the one before.
        """
        return self._assembled(version, tensors, keep=True)

    def publish_anchor(self, version: int, tensors: Iterable[Tensor]) -> Manifest:
        """As `publish`, whole; nothing is kept, and a version that is there is not drawn.

        `tensors` are drawn one by one; their bytes must not change before this returns.
        """
        return self._assembled(version, tensors, keep=False)

    def assemble(
        self, version: int, *, whole: bool = False, traceparents: Sequence[str] = ()
    ) -> Generator[Order, Sequence[Answer], None]:
        """The orders to all parts, in turn, to each of which their answers are sent; the last one ends it, and carries
        the manifest that is stored now. With `whole` there is no delta; `traceparents` stand in the manifest. Raises
        `InfrastructureError` as `publish`."""
        if (existing := self.existing(version)) is not None:
            yield Order(Verb.THERE, manifest=existing)
            return
        on = self._begin()
        assembly = Assembly(None if whole else on, self._chain, self._anchor_every)
        while assembly.verb.writes:
            assembly.answered((yield Order(assembly.verb)))
        if assembly.verb is Verb.COMMIT:
            stored, ours = self.commit(version, assembly, traceparents)
            problem = "" if ours else "another publisher was first"
            yield Order(Verb.KEEP if ours else Verb.LEAVE, problem, stored)
        else:
            yield Order(Verb.LEAVE, assembly.problem)

    def has(self, version: int) -> bool:
        """True if the version can be read whole; false after a shard restarted, or if a reader found it damaged: then
        publish it again."""
        chain: list[Manifest] = []
        while not chain or chain[-1].kind == VERSION_KIND_DELTA:
            manifest = self._manifest(chain[-1].base_version if chain else version)
            if manifest is None:
                return False
            chain.append(manifest)
        return self._retention.is_whole(chain)

    def existing(self, version: int) -> Manifest | None:
        """The version if it can be read whole, with `latest` pointing at it; takes its manifest back if not: nobody may
        read it while it is written again."""
        key = manifest_key(self._lineage, version)
        stored = get_bytes(self._shards[0], key)
        if stored is None:
            return None
        if self.has(version):
            return self._commit(unseal(self._lineage, version, stored))
        self._shards[0].delete(key)
        try:
            found = unseal(self._lineage, version, stored)
            self._shards[0].srem(DAMAGED, damage_name(found.lineage, found.version, found.committed_at))
        except ChecksumError:
            pass  # a manifest that nobody could read was not reported either
        self._chain = []
        return None

    def _begin(self) -> int | None:
        """Makes room, and says which version the next may be a delta on: the one committed last, or None."""
        self._retention.retire()
        self._retention.sweep()
        return self._chain[-1].version if self._chain and self._retention.is_whole(self._chain) else None

    def _assembled(self, version: int, tensors: Iterable[Tensor], *, keep: bool) -> Manifest:
        """By one part, this process's own."""
        orders = self.assemble(version, whole=not keep)
        order = next(orders)
        drawn = list(tensors) if keep and order.verb.writes else tensors
        while order.verb.writes:
            order = orders.send([Answer(self._part.obey(order.verb, version, drawn, keep=keep))])
        self._part.end(order.verb)
        if order.verb is not Verb.THERE and not keep:
            self._chain = []  # nothing is held that a delta could be made from
        assert order.manifest is not None, "a part that fails raises"
        return order.manifest

    def commit(self, version: int, assembly: Assembly, traceparents: Sequence[str] = ()) -> tuple[Manifest, bool]:
        """Joins the parts and commits them: as an anchor if they are there whole, else as a delta.

        The manifest that is stored now, and whether it is of these parts: if not, another publisher was first.
        """
        deltas = self._joined(version, assembly.deltas, assembly.on) if assembly.deltas is not None else None
        manifest = self._joined(version, assembly.whole, None) if assembly.whole is not None else deltas
        assert manifest is not None, "neither deltas nor whole tensors"
        manifest.traceparents.extend(traceparents)
        if deltas is not None and assembly.whole is not None:
            manifest.step.CopyFrom(deltas)
        stored = self._commit(manifest)
        if stored != manifest:
            self._chain = []
            return stored, False
        self._chain = [stored] if assembly.whole is not None else [*self._chain, stored]
        self._retention.retire()
        return stored, True

    def _joined(self, version: int, parts: Sequence[Manifest], on: int | None) -> Manifest:
        manifest = Manifest(
            lineage=self._lineage,
            version=version,
            kind=VERSION_KIND_ANCHOR if on is None else VERSION_KIND_DELTA,
            base_version=version if on is None else on,
            committed_at=time.time(),
            chunks_uri=self._anchors_uri if on is None else "",
        )
        offset = 0
        for part in parts:
            for entry in part.tensors:
                manifest.tensors.append(entry)
                manifest.tensors[-1].offset = offset
                offset += entry.nbytes
            manifest.chunks.extend(part.chunks)
        return manifest

    def _manifest(self, version: int) -> Manifest | None:
        """None also for one that is torn."""
        stored = get_bytes(self._shards[0], manifest_key(self._lineage, version))
        try:
            return unseal(self._lineage, version, stored) if stored else None
        except ChecksumError:
            return None

    def _commit(self, manifest: Manifest) -> Manifest:
        version = manifest.version
        keys = [manifest_key(self._lineage, version), VERSIONS, COMMITS, LATEST, BASES]
        name = version_name(self._lineage, version)
        base = version_name(self._lineage, manifest.base_version) if manifest.kind == VERSION_KIND_DELTA else ""
        stored = self._commit_script(keys, [seal(manifest), name, self._lineage, version, NEWS, base])
        if stored is None:
            latest = get_bytes(self._shards[0], LATEST) or b"gone by now"
            detail = f"lineage {self._lineage} has been superseded; served is {latest.decode()}"
            raise InfrastructureError("the weight plane", 0.0, detail)
        return unseal(self._lineage, version, stored)
