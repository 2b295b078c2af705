"""Claims of a trace, in order."""

from __future__ import annotations

from earwitness.wire.trajectory.v1 import trajectory_pb2

from reward.claims.facts import Claim


def extract_claims(reasoning: str, prompt: trajectory_pb2.Prompt) -> list[Claim]:
    """Claims of `reasoning` about the sound of `prompt`."""
    return []
