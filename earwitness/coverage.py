"""How much of what is said of the sound has a verdict."""

from __future__ import annotations

from collections.abc import Iterable

from earwitness.wire.trajectory.v1 import trajectory_pb2

DECIDED = frozenset({trajectory_pb2.VERDICT_SUPPORTED, trajectory_pb2.VERDICT_CONTRADICTED})


def coverage(claims: Iterable[trajectory_pb2.Claim], unread: int) -> float | None:
    """Share of the statements about the sound, `claims` and those that were not read, that has a verdict; None of
    none."""
    verdicts = [claim.verdict in DECIDED for claim in claims]
    said = len(verdicts) + unread
    return sum(verdicts) / said if said else None
