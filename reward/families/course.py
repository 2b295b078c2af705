"""Changes of pitch and level over the course of a part: one way, or one way and then the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from reward.families.base import SEMITONE, Finding, no_such_part, parts
from reward.families.stretches import course, ends_of, within
from reward.measure import Event, Measurement
from reward.statements import Change, Quantity, Relation, Span, Turn

SWINGS_SEMITONES = (0.3, 1.0)
"""Between the 5th and the 95th percentile of F0: below the first a sound keeps its pitch (in noise 20 dB below it the
measurement strays by as much), from the second on whoever says that it wavers is right."""
CROSSINGS = 4
"""Of its middle, by an F0 that goes to and fro: an arch crosses it twice."""


def wavers(claim: Change, measurement: Measurement) -> bool | None:
    """Whether the F0 of one sound goes to and fro, wherever it ends; None: somewhat. Of level and of
    several sounds that is not asked: False."""
    events = parts(measurement, claim.part)
    if claim.quantity is not Quantity.PITCH or len(events) != 1:
        return False
    if events[0].pitch is None or not events[0].pitch_sure:
        return False
    octaves = np.log2(within(measurement.pitch, events, 0.0, measurement.duration))
    if len(octaves) == 0:
        return False
    low, middle, high = (float(np.percentile(octaves, q)) for q in (5, 50, 95))
    swing = SEMITONE * (high - low)
    if swing < SWINGS_SEMITONES[0]:
        return False
    crossings = int(np.count_nonzero(np.diff(np.sign(octaves - middle)) != 0))
    return True if swing >= SWINGS_SEMITONES[1] and crossings >= CROSSINGS else None


@dataclass(frozen=True)
class Course:
    """How a quantity goes: by the contour within one sound, by the sounds themselves over several."""

    level: bool
    """Of the level contour; else of that of F0, in octaves."""
    ends: Callable[[Event], tuple[float | None, float | None]]
    """At the two ends of one event."""
    whole: Callable[[Event], float | None]
    """Of an event as a whole."""
    judge: Callable[[Relation, float, float], Finding]
    """(relation, at the start, at the end) -> finding."""
    step: float
    """Least change that counts, in the contour's unit."""
    none: str
    """Said where there is nothing to follow."""
    show: Callable[[float], str]

    def change(self, claim: Change, measurement: Measurement) -> Finding:
        """Checks a change one way, or that there is none."""
        events = parts(measurement, claim.part)
        if not events:
            return no_such_part(measurement)
        if isinstance(claim.part, Span) and len(events) == 1:
            return self._inside(claim, claim.part, events, measurement)
        first, last = events[0], events[-1]
        begin, end = self.ends(first) if first is last else (self.whole(first), self.whole(last))
        if begin is None or end is None:  # noise beside a tone goes nowhere that can be told
            return Finding(None if any(self.whole(event) is not None for event in events) else False, self.none)
        finding = self.judge(claim.relation, begin, end)
        if claim.relation is Relation.SAME and finding.holds and wavers(claim, measurement):
            return Finding(None, f"{finding.measured}, and to and fro meanwhile")
        if first is not last and self.level and finding.holds is not None:
            ends = ends_of(within(measurement.level, events, 0.0, measurement.duration))
            if ends is not None and self.judge(claim.relation, *ends).holds is not finding.holds:
                return Finding(None, f"{finding.measured} by the sounds, {self.show(ends[0])} to {self.show(ends[1])}")
        return finding

    def turn(self, claim: Turn, measurement: Measurement) -> Finding:
        """Checks "rises and then falls": the extreme lies inside, a step that can be heard away from both ends."""
        events = parts(measurement, claim.part)
        if not events:
            return no_such_part(measurement)
        values = course(measurement, events, claim.part if isinstance(claim.part, Span) else None, self.level)
        if len(values) < 3 or not np.isfinite(values).all():
            return Finding(False, "too short" if self.level else self.none)
        upward = claim.first is Relation.MORE
        place = int(np.argmax(values) if upward else np.argmin(values))
        ways = (abs(float(values[place] - values[0])), abs(float(values[place] - values[-1])))
        words = ", ".join(self.show(float(v)) for v in (values[0], values[place], values[-1]))
        return Finding(0 < place < len(values) - 1 and min(ways) >= self.step, words)

    def _inside(self, claim: Change, span: Span, events: list[Event], measurement: Measurement) -> Finding:
        """A change within one sound that goes on beyond the stretch."""
        start, end = span.seconds(measurement.duration)
        ends = ends_of(within(measurement.level if self.level else measurement.pitch, events, start, end))
        return Finding(False, self.none) if ends is None else self.judge(claim.relation, *ends)
