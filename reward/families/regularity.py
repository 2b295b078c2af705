"""Regularity: even and uneven gaps."""

from __future__ import annotations

from reward.families.base import Family, Finding, Own, holds_of
from reward.measure import Measurement
from reward.statements import Regular, Relation

REGULAR_VARIATION = 0.10
"""Gaps that vary by less (standard deviation over mean) are regular: jitter is heard from 3 to 10 %."""

STEADY = 0.5
"""Strength of a beat that is steady, whatever is played between the beats."""

PERHAPS = 0.12
"""From here on it may be one."""


def _check(claim: Regular, measurement: Measurement) -> Finding:
    rhythm, beat = measurement.rhythm, measurement.beat
    if beat is not None and beat.strength >= STEADY:
        return Finding(claim.even, f"a steady beat of {beat.bpm:.0f} BPM")
    if beat is not None and beat.strength >= PERHAPS:
        return Finding(None, f"perhaps a beat of {beat.bpm:.0f} BPM")
    if rhythm is None or len(rhythm.gaps) < 2:
        return Finding(None, "too few events for a rhythm")
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
