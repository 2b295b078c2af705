"""Repetition: whether a pattern comes again, how often, after how long, of how many sounds."""

from __future__ import annotations

from reward.families.base import Counts, Family, Finding, Number, Own, Scene, events_in_words, of_gap
from reward.measure import Measurement
from reward.measure.facts import Repetition
from reward.statements import Count, Counted, Quantity, Repeats

FEWEST_FOR_REPETITION = 3
"""Fewer events say nothing of whether something repeats."""


def _periods(scene: Scene) -> list[float] | None:
    found = scene.measurement.repetition
    if isinstance(found, Repetition):
        return [found.seconds]
    return None if found or len(scene.measurement.events) < 2 else []


def _check(claim: Repeats, measurement: Measurement) -> Finding:
    found = measurement.repetition
    if isinstance(found, Repetition):
        return Finding(True, f"{found.times} times, every {found.seconds:.2f} s")
    if found or len(measurement.events) < FEWEST_FOR_REPETITION:
        return Finding(None, "no repetition can be told")
    return Finding(False, "nothing repeats")


def _count(claim: Count, measurement: Measurement) -> Finding:
    found = measurement.repetition
    if claim.of is Counted.REPEATS and claim.value > max(measurement.most, len(measurement.events)) > 0:
        return Finding(False, f"{events_in_words(len(measurement.events))} in all")
    if len(measurement.events) < 2 or found is True:
        return Finding(None, "no repetition can be told")
    if not isinstance(found, Repetition):
        return Finding(False, "nothing repeats")
    if claim.of is Counted.GROUP:
        return Finding(claim.value == found.events, f"{events_in_words(found.events)} in a pattern")
    words = f"{found.times} times, every {found.seconds:.2f} s"
    if found.events == 1 and claim.value != found.times:
        return Finding(claim.value == found.times - 1, words)
    # "repeats three times" may leave out the first.
    return Finding(claim.value in (found.times, found.times - 1), words)


FAMILY = Family(
    "repetition",
    numbers={Quantity.PERIOD: Number(_periods, of_gap)},
    counts={
        Counted.REPEATS: Counts(("time the pattern", "times the pattern"), _count),
        Counted.GROUP: Counts(("event a pattern", "events a pattern"), _count),
    },
    own=Own(
        is_mine=lambda statement: isinstance(statement, Repeats),
        check=_check,
        describe=lambda claim: "a pattern repeats",
    ),
)
