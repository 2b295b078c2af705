"""Tempo: events a minute, fast and slow, speeding up and slowing down."""

from __future__ import annotations

from reward.families.base import Compared, Family, Finding, Moves, Number, Own, Scene, holding, share_of
from reward.families.timing import gaps_of
from reward.measure import Measurement
from reward.statements import Change, Pace, Quantity

TEMPO = 0.08
"""Tempo: the just noticeable difference is 5 to 8 %."""
TEMPO_STEP_OCTAVES = 0.15
"""A train whose last gap is within 11 % of its first keeps its pace: just above the just noticeable difference."""
STRAIGHT = 0.5
"""A change of tempo is one if the gaps scatter by less than this share of it: random gaps have a slope too."""
FAST_BPM = (90.0, 140.0)
"""Scale of tempo: slow up to the first (andante and slower), fast from the second on (allegro vivace)."""


def _beats(scene: Scene) -> list[float] | None:
    gaps = gaps_of(scene)
    return [60.0 * len(gaps) / sum(gaps)] if gaps else None


def _check_change(claim: Change, measurement: Measurement) -> Finding:
    rhythm = measurement.rhythm
    if rhythm is None or len(rhythm.gaps) < 2:
        return Finding(None, "too few events for a tempo")
    words = f"gaps {rhythm.gaps[0]:.2f} to {rhythm.gaps[-1]:.2f} s"
    possible = holding(-rhythm.change, TEMPO_STEP_OCTAVES)
    if rhythm.scatter > max(STRAIGHT * abs(rhythm.change), TEMPO_STEP_OCTAVES):
        possible = set()  # neither a change nor a steady pace: irregular
        words = f"irregular gaps, {min(rhythm.gaps):.2f} to {max(rhythm.gaps):.2f} s"
    return Finding(claim.relation in possible, words)


def on_pace(value: float, scale: tuple[float, float], fast: bool, unit: str) -> Finding:
    """Whether a rate is at one end of its scale."""
    slow_to, fast_from = scale
    holds = None if slow_to < value < fast_from else (value >= fast_from) == fast
    return Finding(holds, f"{value:.3g} {unit}")


def _check_pace(claim: Pace, measurement: Measurement) -> Finding:
    if measurement.rhythm is None:
        return Finding(None, "too few events for a tempo")
    return on_pace(60 / measurement.rhythm.mean_gap, FAST_BPM, claim.fast, "BPM")


FAMILY = Family(
    "tempo",
    numbers={Quantity.TEMPO: Number(_beats, share_of(TEMPO), "BPM")},
    compared={Quantity.TEMPO: Compared(("faster", "slower", "as fast"))},
    moves={Quantity.TEMPO: Moves(("speeds up", "slows down", "keeps its pace"), _check_change)},
    own=Own(
        is_mine=lambda statement: isinstance(statement, Pace) and not statement.speech,
        check=_check_pace,
        describe=lambda claim: f"{'fast' if claim.fast else 'slow'} tempo",
        excludes=True,
    ),
)
