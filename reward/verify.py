"""A claim and a measurement make a verdict."""

from __future__ import annotations

from earwitness.wire.trajectory.v1 import trajectory_pb2

from reward.claims.facts import Claim
from reward.measure import Measurement


def verify(claim: Claim, measurement: Measurement) -> trajectory_pb2.Claim:
    """The claim with its verdict."""
    return trajectory_pb2.Claim(text=claim.text, kind=claim.kind, verdict=trajectory_pb2.VERDICT_NOT_CHECKABLE)
