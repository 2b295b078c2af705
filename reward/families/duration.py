"""Duration, of sounds and of the clip."""

from __future__ import annotations

import math

from reward.families.base import (
    DURATION,
    DURATION_STEP,
    Compared,
    Family,
    Finding,
    Number,
    Quality,
    holds_of,
    of_time,
    pieces_of,
)
from reward.families.said import Said
from reward.measure import Measurement
from reward.statements import Comparison, Quantity

CLIP_SECONDS = 0.1
"""Least tolerance of the length of the clip, seconds."""


def _of_clips(claim: Comparison, one: Measurement, other: Measurement) -> Finding:
    """By the whole recordings and by what sounds in them: only where both agree is it clear which length is meant."""
    if not one.events or not other.events:
        return Finding(None, "silence in one of the two")
    lengths = ((one.duration, other.duration), (_sounding(one), _sounding(other)))
    found = [holds_of(claim.relation, math.log(a / b), math.log1p(DURATION_STEP)) for a, b in lengths]
    words = f"{one.duration:.2f} and {other.duration:.2f} s, sounding {_sounding(one):.2f} and {_sounding(other):.2f} s"
    return Finding(found[0] if found[0] is found[1] else None, words)


def _sounding(clip: Measurement) -> float:
    """Seconds from the first sound's begin to the last one's end."""
    return clip.events[-1].end - clip.events[0].start


FAMILY = Family(
    "duration",
    numbers={
        Quantity.DURATION: Number(
            lambda scene: [e.duration for e in scene.events], of_time, pieces=pieces_of(lambda e: [e.duration])
        ),
        Quantity.CLIP: Number(
            lambda scene: [scene.measurement.duration], lambda claimed: max(DURATION * claimed, CLIP_SECONDS),
            said=Said(1.0, 30.0, usual=(4.0, 1.2)),
        ),
    },
    compared={
        # Weber's fraction: lengths are compared by their ratio.
        Quantity.DURATION: Compared(
            ("longer", "shorter", "as long"), lambda event: math.log(event.duration), math.log1p(DURATION_STEP), "%",
            shown=100.0, amount_unit="s", of_clips=_of_clips,
        )
    },
    qualities={"short": Quality("short", others=("long",)), "long": Quality("long", others=("short",))},
)  # fmt: skip
