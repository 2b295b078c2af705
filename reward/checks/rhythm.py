"""Evenness, pace, and whether a pattern repeats."""

from __future__ import annotations

from reward import tolerances as t
from reward.checks.finding import Finding, holding
from reward.claims.facts import Pace, Regular, Relation, Repeats
from reward.measure import Measurement
from reward.measure.facts import Repetition


def check_rhythm(claim: Regular | Pace | Repeats, measurement: Measurement) -> Finding:
    """Checks what is said of the rhythm as a whole."""
    match claim:
        case Regular(even):
            return _check_regular(even, measurement)
        case Pace(fast, speech):
            return _check_pace(fast, speech, measurement)
        case Repeats():
            return _check_repeats(measurement)


def _check_pace(fast: bool, speech: bool, measurement: Measurement) -> Finding:
    if speech:
        if measurement.syllables is None:
            return Finding(None, "too few syllables for a rate")
        value, (slow_to, fast_from), unit = measurement.syllables.rate, t.FAST_SYLLABLES, "syllables/s"
    else:
        if measurement.rhythm is None:
            return Finding(None, "too few events for a tempo")
        value, (slow_to, fast_from), unit = 60 / measurement.rhythm.mean_gap, t.FAST_BPM, "BPM"
    holds = None if slow_to < value < fast_from else (value >= fast_from) == fast
    return Finding(holds, f"{value:.3g} {unit}")


def _check_repeats(measurement: Measurement) -> Finding:
    found = measurement.repetition
    if isinstance(found, Repetition):
        return Finding(True, f"{found.times} times, every {found.seconds:.2f} s")
    if found or len(measurement.events) < t.FEWEST_FOR_REPETITION:
        return Finding(None, "no repetition can be told")
    return Finding(False, "nothing repeats")


def _check_regular(even: bool, measurement: Measurement) -> Finding:
    rhythm = measurement.rhythm
    if rhythm is None or len(rhythm.gaps) < 2:
        return Finding(None, "too few events for a rhythm")
    possible = holding(rhythm.variation, t.REGULAR_VARIATION)
    holds = (Relation.SAME if even else Relation.MORE) in possible
    return Finding(holds, f"gaps {min(rhythm.gaps):.2f} to {max(rhythm.gaps):.2f} s, vary by {rhythm.variation:.0%}")
