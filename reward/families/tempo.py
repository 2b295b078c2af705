"""Tempo: events a minute, fast and slow, speeding up and slowing down."""

from __future__ import annotations

from reward.families.base import Compared, Family, Finding, Moves, Number, Own, Scene, holds_of, share_of
from reward.families.regularity import REGULAR_VARIATION, gaps_sure
from reward.families.said import Said
from reward.families.timing import gaps_of
from reward.measure import Measurement
from reward.statements import Change, Pace, Quantity, Relation

TEMPO = 0.08
"""Tempo: the just noticeable difference is 5 to 8 %."""
TEMPO_STEP_OCTAVES = 0.15
"""A train whose last gap is within 11 % of its first keeps its pace: just above the just noticeable difference."""
STRAIGHT = 0.5
"""A change of tempo is one if the gaps scatter by less than this share of it: random gaps have a slope too."""
FAST_BPM = (90.0, 140.0)
"""Scale of tempo: slow up to the first (andante and slower), fast from the second on (allegro vivace)."""


TAPPED_BPM = (40.0, 220.0)
"""Half and double of a beat are heard as one where people tap."""
MINUTES = Said(60.0, 180.0, by_ratio=False, usual=(110.0, 25.0))
"""Tempos that models say, beats a minute."""
OTHER = 0.9
"""A period of less of the beat's strength is none: the one that was meant has 0.95 and more."""


def _beats(scene: Scene) -> list[float] | None:
    """Sounds a minute where they are even; the beat, its half and its double."""
    gaps, rhythm, beat = gaps_of(scene), scene.measurement.rhythm, scene.measurement.beat
    even = rhythm is None or rhythm.variation < REGULAR_VARIATION
    found = [60.0 * len(gaps) / sum(gaps)] if gaps and even else []
    if beat is not None and beat.steady:  # a hat between the beats makes no other tempo
        found = [bpm for bpm in found if bpm <= TAPPED_BPM[1]]
    if beat is not None and beat.told:
        found += [beat.bpm, *(bpm for bpm in (beat.bpm / 2, 2 * beat.bpm) if TAPPED_BPM[0] <= bpm <= TAPPED_BPM[1])]
    return found or None


def _refuted(near: float, claimed: float, measurement: Measurement) -> bool:
    """Contradicted only where a beat is sure, and nothing of the claimed period, its half or its double is in it."""
    beat, rhythm = measurement.beat, measurement.rhythm
    if beat is None or not beat.steady:
        return rhythm is not None and rhythm.variation < REGULAR_VARIATION
    return max(beat.strength_at(claimed * factor) for factor in (0.5, 1.0, 2.0)) < OTHER * beat.strength


def _check_change(claim: Change, measurement: Measurement) -> Finding:
    rhythm, beat = measurement.rhythm, measurement.beat
    if beat is not None and beat.steady:
        return Finding(claim.relation is Relation.SAME, f"a beat of {beat.bpm:.0f} BPM throughout")
    if rhythm is None or len(rhythm.gaps) < 2:
        return Finding(None, "too few events for a tempo")
    words = f"gaps {rhythm.gaps[0]:.2f} to {rhythm.gaps[-1]:.2f} s"
    if not gaps_sure(measurement):
        return Finding(None, "which sounds there are is not sure")
    if rhythm.scatter > max(STRAIGHT * abs(rhythm.change), TEMPO_STEP_OCTAVES):  # neither a change nor a steady pace
        return Finding(False, f"irregular gaps, {min(rhythm.gaps):.2f} to {max(rhythm.gaps):.2f} s")
    return Finding(holds_of(claim.relation, -rhythm.change, TEMPO_STEP_OCTAVES), words)


def on_pace(value: float, scale: tuple[float, float], fast: bool, unit: str) -> Finding:
    """Whether a rate is at one end of its scale."""
    slow_to, fast_from = scale
    holds = None if slow_to < value < fast_from else (value >= fast_from) == fast
    return Finding(holds, f"{value:.3g} {unit}")


def _check_pace(claim: Pace, measurement: Measurement) -> Finding:
    rhythm, beat = measurement.rhythm, measurement.beat
    if claim.part is not None:
        return Finding(None, "the tempo of one of two clips is not measured")
    if beat is not None and beat.steady:
        if beat.bpm <= FAST_BPM[0] and beat.strength_at(2 * beat.bpm) >= OTHER * beat.strength:
            return Finding(None, f"{beat.bpm:.0f} BPM, or twice that")
        return on_pace(beat.bpm, FAST_BPM, claim.fast, "BPM")
    if rhythm is None:
        return Finding(None, "too few events for a tempo")
    return on_pace(60 / rhythm.mean_gap, FAST_BPM, claim.fast, "BPM")


FAMILY = Family(
    "tempo",
    numbers={Quantity.TEMPO: Number(_beats, share_of(TEMPO), "BPM", refuted=_refuted, said=MINUTES)},
    compared={Quantity.TEMPO: Compared(("faster", "slower", "as fast"))},
    moves={Quantity.TEMPO: Moves(("speeds up", "slows down", "keeps its pace"), _check_change)},
    own=Own(
        is_mine=lambda statement: isinstance(statement, Pace) and not statement.speech,
        check=_check_pace,
        describe=lambda claim: f"{'fast' if claim.fast else 'slow'} tempo",
        excludes=True,
        others=lambda claim: [Pace(not claim.fast, False)],
    ),
)
