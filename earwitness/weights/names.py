"""Keys of the weights Redis. All but the chunks are on shard 0."""

from __future__ import annotations

PREFIX = "ew:w:"

LATEST = PREFIX + "latest"
"""`{lineage} {version}` of the version to serve."""

NEWS = PREFIX + "news"
"""Channel on which the same string is announced when it changes."""

VERSIONS = PREFIX + "versions"
"""Sorted set of committed versions, in the order of their commits."""

COMMITS = PREFIX + "commits"
"""Number of commits so far."""

BASES = PREFIX + "bases"
"""Hash of committed delta -> the version it applies to, both as in `VERSIONS`: whoever keeps one keeps the other."""

DAMAGED = PREFIX + "damaged"
"""Set of versions, with the times of their commits, that a reader could fetch whole but not verify: the publisher
writes them again."""

LEASES = PREFIX + "leases"
"""Hash of worker -> `{expiry, seconds} {lineage} {version}`."""

CHUNK_BYTES = 4 * 1024 * 1024
"""Redis moves values of 1 to 4 MiB fastest; fewer keys at 4."""


def version_name(lineage: str, version: int) -> str:
    """How pointers, leases and the list of versions name a version."""
    return f"{lineage} {version}"


def damage_name(lineage: str, version: int, committed_at: float) -> str:
    """How `DAMAGED` names a version; written again, it is another."""
    return f"{version_name(lineage, version)} {committed_at!r}"


def parse_version(name: str) -> tuple[str, int]:
    """(lineage, version)."""
    lineage, version = name.rsplit(" ", 1)
    return lineage, int(version)


def manifest_key(lineage: str, version: int) -> str:
    """Key of the manifest."""
    return f"{PREFIX}{lineage}:{version}:manifest"


def chunk_key(lineage: str, version: int, part: int, index: int, *, whole: bool) -> str:
    """Key of chunk `index` of a part, both from 0, of its whole tensors or of what changed in them."""
    return f"{PREFIX}{lineage}:{version}:{part}{'' if whole else 'd'}.{index}"
