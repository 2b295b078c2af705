"""Which measured values a number of a trace may stand for, and how far it may be from them."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from reward import tolerances as t
from reward.checks.sections import section, within
from reward.claims.facts import Part, Quantity, Span
from reward.measure import Event, Measurement
from reward.measure.facts import Repetition


def measured_values(
    quantity: Quantity, part: Part, events: list[Event], measurement: Measurement
) -> list[float] | None:
    """Candidates for `quantity` of a part with `events`, in its unit.

    [] if the clip has none (pitch of noise), None if it cannot be told.
    """
    if isinstance(part, Span) and quantity in (Quantity.PITCH, Quantity.LEVEL, Quantity.CENTROID):
        heard = section(measurement, part)
        by_contour = {Quantity.PITCH: heard.pitch, Quantity.LEVEL: heard.level, Quantity.CENTROID: heard.centroid}
        return _present([by_contour[quantity]]) + (measured_values(quantity, None, events, measurement) or [])
    match quantity:
        case Quantity.PITCH:
            return [pitch for event in events for pitch in _pitches(event)]
        case Quantity.PITCH_START:
            return _present([e.pitch_start for e in events[:1]])
        case Quantity.PITCH_END:
            return _present([e.pitch_end for e in events[-1:]])
        case Quantity.PITCH_LOWEST | Quantity.PITCH_HIGHEST:
            extremes = _extremes(events, measurement)
            return [extremes[quantity is Quantity.PITCH_HIGHEST]] if extremes else []
        case Quantity.PITCH_RANGE:
            extremes = _extremes(events, measurement)
            return [t.SEMITONE * math.log2(extremes[1] / extremes[0])] if extremes else []
        case Quantity.LEVEL:
            return [e.level for e in events]
        case Quantity.DURATION:
            return [e.duration for e in events]
        case Quantity.CLIP:
            return [measurement.duration]
        case Quantity.ONSET:
            return [e.start for e in events]
        case Quantity.DECAY:
            return None
        case Quantity.LOUDNESS:
            return _present([measurement.loudness]) or None
        case Quantity.SYLLABLES:
            return None if measurement.syllables is None else [measurement.syllables.rate]
        case Quantity.PEAK:
            return [measurement.peak]
        case Quantity.HARMONICITY:
            return [_harmonics_to_noise(e.harmonicity) for e in events]
        case Quantity.BANDWIDTH:
            return [e.bandwidth for e in events if e.bandwidth > 0]
        case Quantity.PARTIAL:
            return _partials(events)
        case Quantity.PERIOD:
            return _periods(measurement)
        case Quantity.CENTROID:
            return [e.centroid for e in events if e.centroid > 0]
        case Quantity.PAUSE:
            pauses = [pause for pause in measurement.pauses if pause >= t.PAUSE_SECONDS[0]]
            if isinstance(part, int):
                return pauses[-1:] if part == -1 else pauses[part - 1 : part]
            return pauses
        case Quantity.OFFSET:
            return [e.end for e in events]
        case Quantity.LEAD | Quantity.TRAIL:
            if not measurement.events:
                return [measurement.duration]
            first, last = measurement.events[0], measurement.events[-1]
            return [first.start if quantity is Quantity.LEAD else measurement.duration - last.end]
        case _:
            return _timing(quantity, measurement)


def tolerance(quantity: Quantity, claimed: float) -> float:
    """How far the measured value may be from the claimed one, in the quantity's unit."""
    match quantity.kind:
        case "pitch":
            return t.RANGE_SEMITONES if quantity is Quantity.PITCH_RANGE else t.PITCH * claimed
        case "loudness":
            return t.LOUDNESS_LU if quantity is Quantity.LOUDNESS else t.LEVEL_DB
        case "brightness":
            return t.CENTROID * claimed
        case "timbre":
            return t.PARTIAL * claimed
        case "noisiness":
            return t.HARMONICITY_DB
        case "speaking rate":
            return t.SYLLABLES * claimed
        case "tempo":
            return t.TEMPO * claimed
        case "duration" | "pauses" | "reverberation":
            least = t.CLIP_SECONDS if quantity is Quantity.CLIP else t.DURATION_SECONDS
            return max(t.DURATION * claimed, least)
        case _:
            edge = quantity in (Quantity.ONSET, Quantity.OFFSET)
            return t.ONSET_SECONDS if edge else max(t.GAP * claimed, t.GAP_SECONDS)


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
    """The pitch of a level tone; of a glide also those of its ends, because "near 300 Hz" may mean either; of a chord
    every note."""
    if event.notes:
        return list(event.notes)
    ends = _present(list(_ends(event)))
    glides = bool(ends) and max(ends) / min(ends) > 2 ** (t.GLIDE_STEP_SEMITONES / t.SEMITONE)
    return _present([event.pitch]) + (ends if glides else [])


def _ends(event: Event) -> tuple[float | None, float | None]:
    return event.pitch_start, event.pitch_end


def _extremes(events: list[Event], measurement: Measurement) -> tuple[float, float] | None:
    """Lowest and highest F0, Hz: of the ends of every event, and of the contour without its outermost frames."""
    ends = [p for e in events for p in (*_present(list(_ends(e))), *e.notes)]
    if not ends:
        return None
    pitched = [e for e in events if e.pitch is not None and not e.notes]
    frames = within(measurement.pitch, pitched, 0.0, measurement.duration)
    inner = [float(np.percentile(frames, q)) for q in (5, 95)] if len(frames) >= 20 else []
    return min(*ends, *inner), max(*ends, *inner)


def _partials(events: list[Event]) -> list[float] | None:
    """Frequencies of the partials that are heard; None where none can be measured."""
    known = [e for e in events if e.partials and e.pitch is not None]
    if not known:
        return None
    return [
        (k + 1) * (e.pitch or 0.0) for e in known for k, level in enumerate(e.partials) if level >= -t.PARTIAL_DB[1]
    ]


def _periods(measurement: Measurement) -> list[float] | None:
    found = measurement.repetition
    if isinstance(found, Repetition):
        return [found.seconds]
    return None if found or len(measurement.events) < 2 else []


def _harmonics_to_noise(periodicity: float) -> float:
    """dB: what repeats after a period over what does not."""
    share = min(max(periodicity, 1e-3), 1 - 1e-4)
    return 10 * math.log10(share / (1 - share))


def _present(values: list[float | None]) -> list[float]:
    return [value for value in values if value is not None]
