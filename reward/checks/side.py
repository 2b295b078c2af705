"""Where the sound of a stereo clip is."""

from __future__ import annotations

import numpy as np

from reward import tolerances as t
from reward.checks.finding import Finding, no_such_part, parts
from reward.checks.sections import within
from reward.claims.facts import Side
from reward.measure import Measurement


def check_side(claim: Side, measurement: Measurement) -> Finding:
    """Checks a side, of the clip or of a part of it."""
    balance, where = measurement.balance, claim.where
    if balance is None:
        return Finding(None, "not a stereo clip")
    if where in ("rightward", "leftward"):
        moves = balance.end - balance.start
        toward = moves if where == "rightward" else -moves
        return Finding(toward >= t.MOVE_DB, f"right over left: {balance.start:+.1f} to {balance.end:+.1f} dB")
    right, still = balance.whole, abs(balance.end - balance.start) < t.MOVE_DB
    if claim.part is not None:
        events = parts(measurement, claim.part)
        if not events:
            return no_such_part(measurement)
        values = within(balance.over_time, events, 0.0, measurement.duration)
        if len(values) == 0:
            return Finding(None, "too short for a side")
        right, still = float(np.median(values)), True
    words = f"right over left: {right:+.1f} dB"
    if where == "middle":
        return Finding(abs(right) < t.SIDE_DB and still, words)
    return Finding((right if where == "right" else -right) >= t.SIDE_DB, words)
