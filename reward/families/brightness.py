"""Brightness: where the middle of the spectrum is."""

from __future__ import annotations

import math

from reward.families.base import (
    Compared,
    Family,
    Finding,
    Moves,
    Number,
    Quality,
    holds_of,
    no_such_part,
    octaves,
    on_scale,
    parts,
    pieces_of,
    share_of,
)
from reward.families.said import Said
from reward.families.stretches import ends_of, within
from reward.families.timbre import OVERTONES
from reward.measure import Event, Measurement
from reward.statements import Change, Quantity, Span

CENTROID = 0.25
"""Spectral centroid: meters differ in window and weighting; the just noticeable difference is 5 to 15 %."""
CENTROID_STEP_OCTAVES = 0.2
"""Two sounds whose centroids differ by less than 15 % are equally bright."""
BRIGHT_HZ = (1_500.0, 2_200.0)
"""Scale of brightness: bright from the second on, dull up to the first, in between neither can be told."""


HERTZ = Said(300.0, 6_000.0, usual=(800.0, 1.3))
"""Centroids and bandwidths that models say."""


def _check_bright(event: Event) -> tuple[bool | None, str]:
    holds = on_scale(event.centroid, BRIGHT_HZ, True)
    if holds is False and (event.overtones or 0.0) >= OVERTONES:
        holds = None  # overtones make a low note bright for its pitch
    return holds, f"centroid {event.centroid:.0f} Hz"


def _check_dull(event: Event) -> tuple[bool | None, str]:
    return on_scale(event.centroid, BRIGHT_HZ, False), f"centroid {event.centroid:.0f} Hz"


def _check_change(claim: Change, measurement: Measurement) -> Finding:
    events = parts(measurement, claim.part)
    if not events:
        return no_such_part(measurement)
    start, end = claim.part.seconds(measurement.duration) if isinstance(claim.part, Span) else (0.0, math.inf)
    ends = ends_of(within(measurement.centroid, events, start, end))
    if ends is None or min(ends) <= 0:
        return Finding(None, "too short")
    step = math.log2(ends[1] / ends[0])
    words = f"centroid {ends[0]:.0f} to {ends[1]:.0f} Hz"
    return Finding(holds_of(claim.relation, step, CENTROID_STEP_OCTAVES), words)


FAMILY = Family(
    "brightness",
    numbers={
        Quantity.CENTROID: Number(
            lambda scene: [e.centroid for e in scene.events if e.centroid > 0], share_of(CENTROID), "Hz",
            of_stretch=lambda stretch: stretch.centroid, said=HERTZ,
            pieces=pieces_of(lambda event: [event.centroid] if event.centroid > 0 else []),
        ),
        Quantity.BANDWIDTH: Number(
            lambda scene: [e.bandwidth for e in scene.events if e.bandwidth > 0], share_of(CENTROID), "Hz",
            said=HERTZ, pieces=pieces_of(lambda event: [event.bandwidth]),
        ),
    },
    compared={
        Quantity.CENTROID: Compared(
            ("brighter", "duller", "as bright"), lambda event: octaves(event.centroid), CENTROID_STEP_OCTAVES,
            "octaves", of_stretch=lambda stretch: octaves(stretch.centroid),
        )
    },
    moves={Quantity.CENTROID: Moves(("gets brighter", "gets duller", "keeps its brightness"), _check_change)},
    qualities={"bright": Quality("bright", _check_bright, others=("dull",)),
        "dull": Quality("dull", _check_dull, others=("bright",)),
   },
)  # fmt: skip
