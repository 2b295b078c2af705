"""Timbre: waveform, overtones, bandwidth."""

from __future__ import annotations

from collections.abc import Callable

from reward.families.base import (
    Compared,
    Counts,
    Family,
    Finding,
    Number,
    Quality,
    Scene,
    no_such_part,
    on_scale,
    parts,
    share_of,
)
from reward.families.said import Said
from reward.measure import Event, Measurement
from reward.statements import Count, Counted, Quantity

ODD_ONLY = 0.1
"""Largest share of even partials in what overtones there are for "only odd harmonics"; a sawtooth has 0.64."""
ALL_PARTIALS = 0.2
"""Least share of even partials for "all harmonics"."""
OVERTONES = 0.01
"""Overtone energy (-20 dB) from which harmonics besides the fundamental are heard."""
RICH = (0.02, 0.15)
"""Scale of overtones, energy over the fundamental: rich from -8 dB on, not rich up to -17 dB."""
PARTIAL = 0.04
"""Frequency of a partial: below half the distance of neighbours up to the 12th."""
PARTIAL_DB = (20.0, 36.0)
"""Partials down to the first count in any case, below the second in none: masking by the strongest ends in between."""
BORDERLINE = 1
"""Partials of which it may be open whether they are heard, where their number holds."""
BROAD_HZ = (400.0, 1_500.0)
"""Scale of bandwidth: narrow up to the first (a critical band and a half around 1 kHz), broad from the second on."""

WAVES = ("sine", "triangle", "square", "sawtooth")

Answer = tuple[bool | None, str]


def waveform(event: Event) -> str:
    """What an event looks like, in words."""
    if event.notes:
        return "notes of " + ", ".join(f"{note:.0f} Hz" for note in event.notes)
    if event.wave == "noise" or event.pitch is None:
        return "noise" if event.wave == "noise" else "no pitch"
    if event.even_share is None:
        return f"{event.wave}: a single partial"
    return f"{event.wave}: overtones {event.overtones:.0%} of the fundamental, {event.even_share:.0%} of them even"


def _of_one_tone(check: Callable[[Event, float], bool | None]) -> Callable[[Event], Answer]:
    """(event, energy of its overtones) -> verdict, of an event that is one tone whose overtones were measured."""

    def checked(event: Event) -> Answer:
        if event.pitch is None or event.notes:
            return False, waveform(event)
        if event.overtones is None:
            return None, "partials above 8 kHz"
        return check(event, event.overtones), waveform(event)

    return checked


def _odd(event: Event, overtones: float) -> bool | None:
    return overtones >= OVERTONES and event.even_share is not None and event.even_share <= ODD_ONLY


def _all(event: Event, overtones: float) -> bool | None:
    return overtones >= OVERTONES and event.even_share is not None and event.even_share >= ALL_PARTIALS


def _wave(name: str) -> Quality:
    others = tuple(other for other in WAVES if other != name)
    return Quality(f"{name} wave", _of_one_tone(lambda event, overtones: event.wave == name), others=others)


def _wide(upper: bool) -> Quality:
    def check(event: Event) -> Answer:
        return on_scale(event.bandwidth, BROAD_HZ, upper), f"bandwidth {event.bandwidth:.0f} Hz"

    return Quality("broadband" if upper else "narrowband", check, others=("narrow" if upper else "broad",))


def _partials(scene: Scene) -> list[float] | None:
    """Frequencies of the partials that are heard; None where none can be measured."""
    known = [e for e in scene.events if e.partials and e.pitch is not None]
    if not known:
        return None
    return [(k + 1) * (e.pitch or 0.0) for e in known for k, level in enumerate(e.partials) if level >= -PARTIAL_DB[1]]


def _count(claim: Count, measurement: Measurement) -> Finding:
    """Where what is counted has no sharp border, no count within it can be told."""
    events = parts(measurement, claim.part)
    if not events:
        return no_such_part(measurement)
    known = [event.partials for event in events if event.partials]
    if not known:
        return Finding(None, "no partials to count")
    few, many = (
        f(sum(level >= -least for level in levels) for levels in known)
        for f, least in zip((min, max), PARTIAL_DB, strict=True)
    )
    holds = few <= claim.value <= many
    return Finding(None if holds and many - few > BORDERLINE else holds, f"{few} to {many} partials")


FAMILY = Family(
    "timbre",
    tonal=True,
    numbers={Quantity.PARTIAL: Number(_partials, share_of(PARTIAL), "Hz", said=Said(100.0, 8_000.0))},
    compared={Quantity.PARTIAL: Compared(("richer in partials", "poorer in partials", "as rich in partials"))},
    qualities={
        **{name: _wave(name) for name in WAVES},
        "odd": Quality("odd partials only", _of_one_tone(_odd), others=("all",)),
        "all": Quality("odd and even partials", _of_one_tone(_all), others=("odd",)),
        "rich": Quality("many partials", _of_one_tone(lambda _, overtones: on_scale(overtones, RICH, True))),
        "broad": _wide(True),
        "narrow": _wide(False),
    },
    counts={Counted.PARTIALS: Counts(("partial", "partials"), _count)},
)
