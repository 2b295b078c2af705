"""A version's tensors in memory, which deltas are applied to.

A reader keeps one to go on from; a publisher keeps one to tell what changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from earwitness.parallel import in_parallel
from earwitness.weights import delta
from earwitness.weights.errors import ChecksumError, WeightError, WrongBase
from earwitness.weights.manifest import nbytes
from earwitness.weights.reader import WeightReader
from earwitness.weights.shards import CPU_THREADS, CPU_WINDOW
from earwitness.weights.tensors import ELEMENTS, size_of, verify
from earwitness.wire.weights.v1.weights_pb2 import VERSION_KIND_DELTA, Manifest, TensorEntry


@dataclass(frozen=True)
class Held:
    """One tensor."""

    dtype: str
    shape: tuple[int, ...]
    data: np.ndarray
    """uint8 [bytes]; written in place by later versions."""

    @property
    def elements(self) -> np.ndarray:
        """The same memory as bits of the elements, uint16 or uint32."""
        return self.data.view(ELEMENTS[self.dtype])


Signature = list[tuple[str, str, tuple[int, ...]]]
"""Name, dtype and shape of each tensor of a version."""


class HostCopy:
    """Follows the versions of any lineage."""

    def __init__(self, room: Callable[[Signature], Mapping[str, Held]] | None = None) -> None:
        """`room`: where tensors of a layout are kept, if not in this process's own memory; asked at each anchor."""
        self._room = room
        self.held: tuple[str, int] | None = None
        """(lineage, version) that the tensors are, verified; None before the first and after a failure."""
        self.tensors: dict[str, Held] = {}
        """By Hugging Face name."""
        self.fetched_bytes = 0
        """Bytes of what was fetched to get here from what was held before."""
        self._verified: dict[str, bytes] = {}
        """xxh3-128 of each tensor when it was verified last."""

    def catch_up(self, reader: WeightReader, lineage: str, version: int) -> set[str]:
        """Becomes `version`: from what is held if deltas lead on from there, else, or if one of them is broken, from
        the newest anchor. Returns the names of the tensors that were written.

        Raises `MissingVersion` or `ChecksumError` if the anchor or a delta after it is broken too; what is held is then
        unknown, and the next call starts from an anchor. The publisher sees both and writes the version again, whole.
        """
        on = self.held[1] if self.held is not None and self.held[0] == lineage else None
        if on is not None:
            try:
                return self._apply_all(reader, reader.chain(lineage, version, on))
            except WeightError:
                pass  # what follows tells the same error if it stands in the way again
        chain = reader.chain(lineage, version)
        try:
            return self._apply_all(reader, chain)
        except ChecksumError:
            reader.report_damage(chain[-1])
            raise

    def apply(self, reader: WeightReader, manifest: Manifest) -> set[str]:
        """Becomes the manifest's version and returns the names of the tensors that were written.

        Raises `WrongBase` for a delta on another version than the one held, before anything is written, and what
        `fetch` raises.
        """
        return self._apply_all(reader, [manifest])

    def _apply_all(self, reader: WeightReader, chain: list[Manifest]) -> set[str]:
        """Tensors are verified once, when they are what the last manifest says."""
        if not chain:
            return set()
        if chain[0].kind == VERSION_KIND_DELTA and self.held != (chain[0].lineage, chain[0].base_version):
            raise WrongBase(
                chain[0].lineage, chain[0].version, f"it applies to version {chain[0].base_version}, not {self.held}"
            )
        self.held = None
        last = chain[-1]
        replaced: set[str] = set()
        patched: set[str] = set()
        for manifest in chain:
            if manifest.kind == VERSION_KIND_DELTA:
                patched |= self._apply_delta(reader, manifest, patched if manifest is last else None)
            else:
                replaced = self._replace(reader, manifest)
        for entry in last.tensors:
            if entry.name not in patched and entry.xxh3_128 != self._verified[entry.name]:
                problem = f"tensor {entry.name} should have been changed"
                raise ChecksumError(last.lineage, last.version, problem)
        self._verified = {entry.name: entry.xxh3_128 for entry in last.tensors}
        self.fetched_bytes = sum(map(nbytes, chain))
        self.held = (last.lineage, last.version)
        return replaced | patched

    def _replace(self, reader: WeightReader, manifest: Manifest) -> set[str]:
        for entry in manifest.tensors:  # only what fits is fetched into the memory that is there
            if entry.dtype not in ELEMENTS or entry.nbytes != size_of(entry.dtype, entry.shape):
                expected = f"expected those of {entry.dtype} {tuple(entry.shape)}"
                problem = f"tensor {entry.name} has {entry.nbytes} bytes; {expected}"
                raise ChecksumError(manifest.lineage, manifest.version, problem)
        layout = [(entry.name, entry.dtype, tuple(entry.shape)) for entry in manifest.tensors]
        there = self._room(layout) if self._room else self.tensors
        memory = {name: tensor.data for name, tensor in there.items()}
        self.tensors = {
            entry.name: Held(entry.dtype, tuple(entry.shape), data) for entry, data in reader.fetch(manifest, memory)
        }
        self._verified = {entry.name: entry.xxh3_128 for entry in manifest.tensors}
        return set(self.tensors)

    def _apply_delta(self, reader: WeightReader, manifest: Manifest, patched: set[str] | None) -> set[str]:
        """The names of the tensors that it changes. With `patched`, the last of a chain, which verifies these and those
        while they are still in the cache."""
        if len(manifest.tensors) != len(self.tensors):
            problem = f"it has {len(manifest.tensors)} tensors; what it applies to has {len(self.tensors)}"
            raise WrongBase(manifest.lineage, manifest.version, problem)

        def apply(received: tuple[TensorEntry, np.ndarray]) -> None:
            entry, record = received
            held = self._tensor(manifest, entry)
            try:
                delta.apply(record, held.elements)
            except delta.BadRecord as error:
                problem = f"the record of tensor {entry.name} is damaged: {error}"
                raise ChecksumError(manifest.lineage, manifest.version, problem) from error
            if patched is not None and (entry.nbytes or entry.name in patched):
                verify(manifest, entry, held.data)

        for _ in in_parallel(apply, reader.records(manifest), CPU_THREADS, CPU_WINDOW):
            pass
        return {entry.name for entry in manifest.tensors if entry.nbytes}

    def _tensor(self, manifest: Manifest, entry: TensorEntry) -> Held:
        held = self.tensors.get(entry.name)
        if held is None or (held.dtype, held.shape) != (entry.dtype, tuple(entry.shape)):
            problem = f"tensor {entry.name} is not what it applies to"
            raise WrongBase(manifest.lineage, manifest.version, problem)
        return held
