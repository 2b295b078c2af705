"""Reverberation: read, and not yet measured."""

from __future__ import annotations

from reward.families.base import Compared, Family, Number, Quality, of_time
from reward.statements import Quantity

FAMILY = Family(
    "reverberation",
    numbers={Quantity.DECAY: Number(lambda scene: None, of_time)},
    compared={Quantity.DECAY: Compared(("more reverberant", "drier", "as reverberant"))},
    qualities={"reverberant": Quality("reverberant"), "dry": Quality("dry")},
)
