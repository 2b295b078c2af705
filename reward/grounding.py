"""Claims of a trace with their verdicts, and the share that the waveform supports."""

from __future__ import annotations

from dataclasses import dataclass, field

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.checks.values import tolerance
from reward.claims import extract_claims
from reward.claims.facts import Claim, Comparison, Not, Statement, Value
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

    The same claim said twice counts once, also in other words: "the first is higher" and "the second is lower", 440 Hz
    and 445 Hz. What the question already says is no claim. A denial ("not a square") that is right counts for
    nothing, because there is no end to what a sound is not; one that is wrong counts against.
    """
    distinct: list[Claim] = []
    for claim in extract_claims(reasoning, prompt):
        if not any(_same(claim.statement, earlier.statement) for earlier in distinct):
            distinct.append(claim)
    checked = [verify(claim, measurement) for claim in distinct]
    supported = [
        claim
        for claim, verdict in zip(distinct, checked, strict=True)
        if verdict.verdict == trajectory_pb2.VERDICT_SUPPORTED and not isinstance(claim.statement, Not)
    ]
    return Grounding(
        claims=checked,
        supported=len(supported),
        contradicted=sum(verdict.verdict == trajectory_pb2.VERDICT_CONTRADICTED for verdict in checked),
    )


def _same(one: Statement, other: Statement) -> bool:
    """True if two statements say the same of the clip, as far as a tolerance can tell."""
    if isinstance(one, Value) and isinstance(other, Value):
        alike = one.quantity is other.quantity and one.part == other.part
        return alike and abs(one.value - other.value) <= tolerance(other.quantity, other.value)
    if isinstance(one, Comparison) and isinstance(other, Comparison):
        turned = Comparison(other.quantity, other.other, other.part, other.relation.reverse, other.amount)
        return one in (other, turned)
    return one == other
