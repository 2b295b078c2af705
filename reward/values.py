"""Which measured values a number of a trace may stand for, and how far it may be from them."""

from __future__ import annotations

from itertools import pairwise

from reward import tolerances as t
from reward.claims.facts import Quantity
from reward.measure import Event, Measurement


def measured_values(quantity: Quantity, events: list[Event], measurement: Measurement) -> list[float] | None:
    """Candidates for `quantity` in its unit: [] if the clip has none (pitch of noise), None if it cannot be told."""
    match quantity:
        case Quantity.PITCH:
            return [pitch for event in events for pitch in _pitches(event)]
        case Quantity.PITCH_START:
            return _present([e.pitch_start for e in events[:1]])
        case Quantity.PITCH_END:
            return _present([e.pitch_end for e in events[-1:]])
        case Quantity.PITCH_LOWEST | Quantity.PITCH_HIGHEST:
            all_ends = _present([p for e in events for p in _ends(e)])
            pick = min if quantity is Quantity.PITCH_LOWEST else max
            return [pick(all_ends)] if all_ends else []
        case Quantity.LEVEL:
            return [e.level for e in events]
        case Quantity.DURATION:
            return [e.duration for e in events]
        case Quantity.CLIP:
            return [measurement.duration]
        case Quantity.ONSET:
            return [e.start for e in events]
        case Quantity.LOUDNESS:
            return _present([measurement.loudness]) or None
        case Quantity.SYLLABLES:
            return _present([measurement.syllable_rate]) or None
        case Quantity.CENTROID:
            return [e.centroid for e in events if e.centroid > 0]
        case Quantity.PAUSE:
            return [b.start - a.end for a, b in pairwise(events)]
        case _:
            return _timing(quantity, measurement)


def tolerance(quantity: Quantity, claimed: float) -> float:
    """How far the measured value may be from the claimed one, in the quantity's unit."""
    match quantity.kind:
        case "pitch":
            return t.PITCH * claimed
        case "loudness":
            return t.LOUDNESS_LU if quantity is Quantity.LOUDNESS else t.LEVEL_DB
        case "brightness":
            return t.CENTROID * claimed
        case "speaking rate":
            return t.SYLLABLES * claimed
        case "tempo":
            return t.TEMPO * claimed
        case "duration":
            least = t.CLIP_SECONDS if quantity is Quantity.CLIP else t.DURATION_SECONDS
            return max(t.DURATION * claimed, least)
        case _:
            return t.ONSET_SECONDS if quantity is Quantity.ONSET else max(t.GAP * claimed, t.GAP_SECONDS)


def _timing(quantity: Quantity, measurement: Measurement) -> list[float] | None:
    events = measurement.events
    gaps = [b.start - a.start for a, b in pairwise(events)]
    if not gaps:
        return None
    if quantity is Quantity.GAP:
        # Between two sounds "the gap" may also be the silence; in a train it is from onset to onset.
        return [sum(gaps) / len(gaps)] if len(gaps) > 1 else [gaps[0], events[1].start - events[0].end]
    if quantity is Quantity.TEMPO:
        return [60.0 * len(gaps) / sum(gaps)]
    pick = {
        Quantity.GAP_FIRST: gaps[0],
        Quantity.GAP_LAST: gaps[-1],
        Quantity.GAP_SHORTEST: min(gaps),
        Quantity.GAP_LONGEST: max(gaps),
    }
    return [pick[quantity]]


def _pitches(event: Event) -> list[float]:
    """The pitch of a level tone; of a glide also those of its ends, because "near 300 Hz" may mean either."""
    ends = _present(list(_ends(event)))
    glides = bool(ends) and max(ends) / min(ends) > 2 ** (t.GLIDE_STEP_SEMITONES / t.SEMITONE)
    return _present([event.pitch]) + (ends if glides else [])


def _ends(event: Event) -> tuple[float | None, float | None]:
    return event.pitch_start, event.pitch_end


def _present(values: list[float | None]) -> list[float]:
    return [value for value in values if value is not None]
