"""Loudness: levels in decibels, loud and soft, louder and quieter, swelling and fading."""

from __future__ import annotations

from reward.families.base import (
    Compared,
    Family,
    Finding,
    Moves,
    Number,
    Quality,
    constant,
    holds_of,
    on_scale,
    pieces_of,
    present,
)
from reward.families.course import Course
from reward.families.said import Said
from reward.measure import Event
from reward.statements import Quantity, Relation

LEVEL_DB = 4.0
"""Absolute levels: RMS and peak of a sine differ by 3 dB and a trace does not say which, plus 1 dB of error."""
LEVEL_DIFFERENCE_DB = 2.0
"""Level differences: twice the just noticeable difference of 1 dB, as two levels are compared."""
LEVEL_STEP_DB = 1.0
"""Just noticeable difference of level."""
FADE_STEP_DB = 3.0
"""A sound whose last quarter is within this of its first neither swells nor fades: tones with body ripple by 2 dB."""
LOUDNESS_LU = 2.0
"""Integrated loudness: twice the just noticeable difference; filters and gates of meters differ by less."""
DECIBELS = Said(-50.0, 0.0, by_ratio=False, usual=(-22.0, 5.5))
"""Levels that models say."""
PEAKS = Said(-50.0, 0.0, by_ratio=False, usual=(-5.0, 5.0))
"""Recordings are made so that their peaks come near 0 dBFS."""
LOUD_DBFS = (-38.0, -24.0)
"""Scale of loudness: soft up to the first, loud from the second on. Recordings of speech lie between, near -30 dBFS."""


def _judge(relation: Relation, begin: float, end: float) -> Finding:
    return Finding(holds_of(relation, end - begin, FADE_STEP_DB), f"{begin:.1f} to {end:.1f} dBFS")


def _on_scale(upper: bool) -> Quality:
    def check(event: Event) -> tuple[bool | None, str]:
        return on_scale(event.level, LOUD_DBFS, upper), f"{event.level:.1f} dBFS"

    return Quality("loud" if upper else "soft", check, others=("soft" if upper else "loud",))


_COURSE = Course(
    level=True,
    ends=lambda event: (event.level_start, event.level_end),
    whole=lambda event: event.level,
    judge=_judge,
    step=FADE_STEP_DB,
    none="silence",
    show=lambda decibels: f"{decibels:.1f} dBFS",
)

FAMILY = Family(
    "loudness",
    numbers={
        Quantity.LEVEL: Number(
            lambda scene: [e.level for e in scene.events], constant(LEVEL_DB), "dBFS",
            of_stretch=lambda stretch: stretch.level, axis="level", said=DECIBELS,
            pieces=pieces_of(lambda event: [event.level]),
        ),
        Quantity.LOUDNESS: Number(
            lambda scene: present([scene.measurement.loudness]) or None, constant(LOUDNESS_LU), "LUFS", said=DECIBELS
        ),
        Quantity.PEAK: Number(lambda scene: [scene.measurement.peak], constant(LEVEL_DB), "dBFS", said=PEAKS),
    },
    compared={
        Quantity.LEVEL: Compared(
            ("louder", "quieter", "as loud"), lambda event: event.level, LEVEL_STEP_DB, "dB",
            of_stretch=lambda stretch: stretch.level, amount_unit="dB", amount_tolerance=LEVEL_DIFFERENCE_DB,
        )
    },
    moves={Quantity.LEVEL: Moves(("level rises", "level falls", "level stays"), _COURSE.change, _COURSE.turn)},
    qualities={"soft": _on_scale(False), "loud": _on_scale(True)},
)  # fmt: skip
