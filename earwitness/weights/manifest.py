"""A manifest as it is stored: its xxh3-128 first, so that one that was torn or damaged is never believed. Pure."""

from __future__ import annotations

import xxhash
from google.protobuf.message import DecodeError

from earwitness.weights.errors import ChecksumError
from earwitness.wire.weights.v1.weights_pb2 import Manifest

DIGEST_BYTES = 16


def seal(manifest: Manifest) -> bytes:
    """The bytes to store."""
    content = manifest.SerializeToString()
    return xxhash.xxh3_128_digest(content) + content


def unseal(lineage: str, version: int, stored: bytes) -> Manifest:
    """The manifest of `version`. Raises `ChecksumError` unless it is what was stored, whole."""
    content = stored[DIGEST_BYTES:]
    try:
        if xxhash.xxh3_128_digest(content) == stored[:DIGEST_BYTES]:
            manifest = Manifest.FromString(content)
            if (manifest.lineage, manifest.version) == (lineage, version):
                return manifest
    except DecodeError:
        pass
    raise ChecksumError(lineage, version, "its manifest is damaged")


def nbytes(manifest: Manifest) -> int:
    """Bytes of all chunks."""
    return sum(chunk.nbytes for chunk in manifest.chunks)
