"""Regularity: even and uneven gaps."""

from __future__ import annotations

from reward.families.base import Family, Finding, Own, holds_of
from reward.measure import Measurement
from reward.statements import Regular, Relation

REGULAR_VARIATION = 0.10
"""Gaps that vary by less (standard deviation over mean) are regular: jitter is heard from 3 to 10 %."""

PERHAPS = 0.25
"""Strength of the flux from which on there may be a beat: hits at random times reach 0.26."""


UNSURE = 0.5
"""Most of the events that may be none where something is told of their gaps."""


def gaps_sure(measurement: Measurement) -> bool:
    """Whether the gaps from onset to onset are those between sounds."""
    return measurement.unsure <= UNSURE * len(measurement.events)


def _check(claim: Regular, measurement: Measurement) -> Finding:
    rhythm, beat = measurement.rhythm, measurement.beat
    if beat is not None and beat.steady:
        return Finding(claim.even, f"a steady beat of {beat.bpm:.0f} BPM")
    if beat is not None and beat.strength >= PERHAPS:
        return Finding(None, f"perhaps a beat of {beat.bpm:.0f} BPM")
    if rhythm is None or len(rhythm.gaps) < 2:
        return Finding(None, "too few events for a rhythm")
    if not gaps_sure(measurement):
        return Finding(None, "which sounds there are is not sure")
    holds = holds_of(Relation.SAME if claim.even else Relation.MORE, rhythm.variation, REGULAR_VARIATION)
    return Finding(holds, f"gaps {min(rhythm.gaps):.2f} to {max(rhythm.gaps):.2f} s, vary by {rhythm.variation:.0%}")


FAMILY = Family(
    "regularity",
    own=Own(
        is_mine=lambda statement: isinstance(statement, Regular),
        check=_check,
        describe=lambda claim: "even gaps" if claim.even else "uneven gaps",
        excludes=True,
        others=lambda claim: [Regular(not claim.even)],
    ),
)
