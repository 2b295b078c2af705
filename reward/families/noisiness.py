"""Noisiness: whether there is a pitch, and how much of the sound is noise."""

from __future__ import annotations

import math

from reward.families.base import Compared, Family, Number, Quality, constant, on_scale, pieces_of
from reward.families.said import Said
from reward.families.timbre import Answer, waveform
from reward.measure import Event
from reward.statements import Quantity

HARMONICITY_DB = 6.0
"""Harmonics-to-noise ratio: estimators differ by window and method by 3 dB, claims round to 5."""
CLEAR = (0.5, 0.85)
"""Scale of noisiness, as the share that repeats after a period: noisy up to 0 dB of signal over noise, clean from
7.5 dB on, where the noise is hardly masked any more."""


def _harmonics_to_noise(periodicity: float) -> float:
    """dB: what repeats after a period over what does not."""
    share = min(max(periodicity, 1e-3), 1 - 1e-4)
    return 10 * math.log10(share / (1 - share))


def _pitched(event: Event, wanted: bool = True) -> Answer:
    return (event.pitch is not None) is wanted, f"{event.pitch:.0f} Hz" if event.pitch else "no pitch"


def _clear(upper: bool, words: str) -> Quality:
    def check(event: Event) -> Answer:
        clarity = 1.0 if event.notes else event.harmonicity
        return on_scale(clarity, CLEAR, upper), f"periodic to {clarity:.0%}"

    return Quality(words, check, of_pitched=upper, others=("noisy" if upper else "clean",))


FAMILY = Family(
    "noisiness",
    tonal=True,
    numbers={
        Quantity.HARMONICITY: Number(
            lambda scene: [_harmonics_to_noise(e.harmonicity) for e in scene.events],
            constant(HARMONICITY_DB),
            "dB",
            said=Said(0.0, 40.0, by_ratio=False, usual=(5.0, 15.0)),
            pieces=pieces_of(lambda event: [_harmonics_to_noise(event.harmonicity)]),
        )
    },
    compared={Quantity.HARMONICITY: Compared(("less noisy", "noisier", "as noisy"))},
    qualities={
        "noise": Quality("noise", lambda event: (event.wave == "noise", waveform(event)), others=("pitched",)),
        "noisy": _clear(False, "noisy"),
        "clean": _clear(True, "free of noise"),
        "unpitched": Quality("no pitch", lambda event: _pitched(event, False), others=("pitched",)),
        "pitched": Quality("a clear pitch", _pitched, others=("unpitched",)),
    },
)
