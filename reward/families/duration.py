"""Duration, of sounds and of the clip."""

from __future__ import annotations

import math

from reward.families.base import DURATION, DURATION_STEP, Compared, Family, Number, Quality, of_time, pieces_of
from reward.families.said import Said
from reward.statements import Quantity

CLIP_SECONDS = 0.1
"""Least tolerance of the length of the clip, seconds."""

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
            shown=100.0, amount_unit="s",
        )
    },
    qualities={"short": Quality("short", others=("long",)), "long": Quality("long", others=("short",))},
)  # fmt: skip
