"""Claims of a trace with their verdicts, and the share that the waveform supports."""

from __future__ import annotations

from dataclasses import dataclass, field

from earwitness.wire.trajectory.v1 import trajectory_pb2

from reward.claims import extract_claims
from reward.measure import Measurement
from reward.verify import verify


@dataclass(frozen=True)
class Grounding:
    """What the waveform says about a trace."""

    claims: list[trajectory_pb2.Claim] = field(default_factory=list)
    """Every distinct claim with its verdict, in the order of the trace."""
    supported: int = 0
    """Distinct claims that the waveform supports."""
    contradicted: int = 0
    """Distinct claims that the waveform contradicts."""

    @property
    def share(self) -> float:
        """supported / (supported + contradicted), in [0, 1]; 0 without checkable claims."""
        checkable = self.supported + self.contradicted
        return self.supported / checkable if checkable else 0.0


def check_claims(reasoning: str, prompt: trajectory_pb2.Prompt, measurement: Measurement) -> Grounding:
    """Extracts the claims of `reasoning` and verifies each against `measurement`.

    The same claim said twice counts once. What the question or its choices already say is no claim.
    """
    checked = []
    seen = set()
    for claim in extract_claims(reasoning, prompt):
        if claim.statement in seen:
            continue
        seen.add(claim.statement)
        checked.append(verify(claim, measurement))
    verdicts = [claim.verdict for claim in checked]
    return Grounding(
        claims=checked,
        supported=verdicts.count(trajectory_pb2.VERDICT_SUPPORTED),
        contradicted=verdicts.count(trajectory_pb2.VERDICT_CONTRADICTED),
    )
