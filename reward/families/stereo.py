"""Where the sound of a stereo clip is, and where it moves."""

from __future__ import annotations

import numpy as np

from reward.families.base import Family, Finding, Own, no_such_part, parts
from reward.families.stretches import within
from reward.measure import Measurement
from reward.statements import Side

SIDE_DB = 3.0
"""A sound is on a side if that channel is louder by this much: it is heard off the middle from about 2 dB on."""
MOVE_DB = 6.0
"""A sound moves if the balance between its first and last third changes by this much."""
_WORDS = {
    "left": "on the left",
    "right": "on the right",
    "middle": "in the middle",
    "rightward": "moves from left to right",
    "leftward": "moves from right to left",
}


def _check(claim: Side, measurement: Measurement) -> Finding:
    balance, where = measurement.balance, claim.where
    if balance is None:
        return Finding(None, "not a stereo clip")
    if where in ("rightward", "leftward"):
        moves = balance.end - balance.start
        toward = moves if where == "rightward" else -moves
        return Finding(toward >= MOVE_DB, f"right over left: {balance.start:+.1f} to {balance.end:+.1f} dB")
    right, still = balance.whole, abs(balance.end - balance.start) < MOVE_DB
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
        return Finding(abs(right) < SIDE_DB and still, words)
    return Finding((right if where == "right" else -right) >= SIDE_DB, words)


FAMILY = Family(
    "stereo",
    own=Own(
        is_mine=lambda statement: isinstance(statement, Side),
        check=_check,
        describe=lambda claim: _WORDS[claim.where],
        others=lambda claim: [Side(where, claim.part) for where in _WORDS if where != claim.where],
    ),
)
