"""Timing: when sounds begin and end, and the gaps from onset to onset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from reward.families.base import Family, Number, Scene, constant, of_gap
from reward.families.stretches import is_voice
from reward.measure import Event, Measurement
from reward.statements import Quantity

ONSET_SECONDS = 0.1
"""Where a sound begins: what "at 0.5 s" says."""


PHRASE_SECONDS = 0.25
"""A voice that pauses for longer may be said to start again."""

CONSONANT_SECONDS = (0.1, 0.2, 0.3)
"""So much earlier a voice may begin than it is found: an "s" or "h" hardly stands out."""


def gaps_of(scene: Scene) -> list[float]:
    """Seconds from each onset of the clip to the next."""
    return [b.start - a.start for a, b in pairwise(scene.measurement.events)]


def _gap(pick: Callable[[Sequence[float]], float]) -> Number:
    def found(scene: Scene) -> list[float] | None:
        gaps = gaps_of(scene)
        return [pick(gaps)] if gaps else None

    return Number(found, of_gap, refuted=_refuted)


def _refuted(near: float, claimed: float, measurement: Measurement) -> bool:
    """A shorter gap is contradicted only where no sound was missed, which would part the gap that was found."""
    return claimed > near or measurement.most <= len(measurement.events)


def _mean_gap(scene: Scene) -> list[float] | None:
    gaps = gaps_of(scene)
    return [sum(gaps) / len(gaps)] if gaps else None


def _between(scene: Scene) -> list[float]:
    """Between two sounds "the gap" may also be the silence; in a train it is from onset to onset."""
    events = scene.measurement.events
    return [events[1].start - events[0].end] if len(events) == 2 else gaps_of(scene)


def _where(pick: Callable[[Event], float], place: int) -> Number:
    """When a sound begins or ends; of no sound in particular it is said of all that sounds."""

    def found(scene: Scene) -> list[float]:
        if scene.part is None and scene.events:
            return [pick(scene.events[place])]
        return [pick(event) for event in scene.events]

    def perhaps(scene: Scene) -> list[float]:
        """The other sounds, where none is named or it is not sure which is the n-th."""
        clip = scene.measurement
        open_ = scene.part is None or clip.unsure or clip.doubtful
        if scene.part is None and place == 0 and clip.events and is_voice(clip):
            first = clip.events[0].start
            early = [*(time for time in clip.doubtful if time < first), *(first - late for late in CONSONANT_SECONDS)]
            return [*early, *(b.start for a, b in pairwise(clip.events) if b.start - a.end >= PHRASE_SECONDS)]
        return [*(pick(event) for event in clip.events), *clip.doubtful] if open_ else []

    return Number(found, constant(ONSET_SECONDS), perhaps=perhaps, said=None)


FAMILY = Family(
    "timing",
    numbers={
        Quantity.ONSET: _where(lambda event: event.start, 0),
        Quantity.OFFSET: _where(lambda event: event.end, -1),
        Quantity.GAP: Number(_mean_gap, of_gap, perhaps=_between),
        Quantity.GAP_FIRST: _gap(lambda gaps: gaps[0]),
        Quantity.GAP_LAST: _gap(lambda gaps: gaps[-1]),
        Quantity.GAP_SHORTEST: _gap(min),
        Quantity.GAP_LONGEST: _gap(max),
    },
)
