"""What is heard in a stretch of a clip: its events, and level, pitch and brightness by the contours."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from reward.measure import Contour, Event, Measurement
from reward.measure.facts import Frames
from reward.measure.pitch import stray_ends, wanders
from reward.statements import Span

LEAST_OVERLAP_SECONDS = 0.04
"""An event that reaches less far into a stretch is not of it: the error of its ends and of the boundary named."""
LEAST_FRAMES = 4
"""Fewest F0 frames (20 ms) for a pitch."""
VOICED = 0.1
"""Least share of a clip with an F0 for one of speech."""
ENDS = 0.2
"""Share of a stretch at its beginning, and at its end, whose median stands for that end."""


@dataclass(frozen=True)
class Section:
    """One stretch. None where nothing is heard, or nothing with a pitch."""

    level: float | None
    """RMS of what is heard, above the background, dBFS."""
    pitch: float | None
    """Median F0, Hz."""
    centroid: float | None
    """Median spectral centroid, Hz."""


def events_in(measurement: Measurement, span: Span) -> list[Event]:
    """Events of which a part that can be heard lies in `span`."""
    start, end = span.seconds(measurement.duration)
    least = min(LEAST_OVERLAP_SECONDS, (end - start) / 2)
    return [e for e in measurement.events if min(e.end, end) - max(e.start, start) >= min(least, e.duration / 2)]


def onsets_in(measurement: Measurement, span: Span, slack: float) -> set[int]:
    """How many events begin in `span`, its bounds being anywhere within `slack` seconds."""
    start, end = span.seconds(measurement.duration)
    bounds = [(start + a, end + b) for a in (-slack, 0.0, slack) for b in (-slack, 0.0, slack)]
    return {sum(a <= e.start < b for e in measurement.events) for a, b in bounds}


def section(measurement: Measurement, span: Span) -> Section:
    """What is heard in `span`."""
    events = events_in(measurement, span)
    start, end = span.seconds(measurement.duration)
    levels = within(measurement.level, events, start, end)
    pitches = within(measurement.pitch, [e for e in events if e.pitch is not None], start, end)
    centroids = within(measurement.centroid, events, start, end)
    notes = [e.pitch for e in events if e.notes and e.pitch is not None]
    if notes:
        pitch: float | None = float(np.median(notes))  # the F0 contour of a chord is that of no note
    elif len(pitches) >= LEAST_FRAMES:
        pitch = float(np.median(pitches))
    else:
        # Above the range of the F0 contour: as the spectrum tells.
        high = [e.pitch for e in events if e.pitch and not len(within(measurement.pitch, [e], e.start, e.end))]
        pitch = float(np.median(high)) if high else None
    return Section(
        level=mean_level(levels, measurement.background),
        pitch=pitch,
        centroid=float(np.median(centroids)) if len(centroids) else None,
    )


def within(contour: Contour, events: list[Event], start: float, end: float) -> Frames:
    """Values of `contour` between `start` and `end` during `events`, those that do not apply left out."""
    inside = np.zeros(len(contour.times), dtype=bool)
    for event in events:
        inside |= (contour.times >= max(event.start, start)) & (contour.times <= min(event.end, end))
    values = contour.values[inside]
    return values[np.isfinite(values)]


def course(measurement: Measurement, events: list[Event], span: Span | None, level: bool) -> Frames:
    """How pitch (octaves) or level (dB) goes over a part: frame by frame in one event, else event by event."""
    start, end = span.seconds(measurement.duration) if span else (0.0, measurement.duration)
    if len(events) == 1:
        event = events[0]
        if level:
            return smooth(within(measurement.level, events, start, end))
        frames = within(measurement.pitch, events if event.pitch is not None else [], start, end)
        octaves = np.log2(frames)
        return smooth(octaves[stray_ends(octaves)])
    if level:
        return np.array([event.level for event in events])
    return np.log2([event.pitch for event in events if event.pitch is not None] or [np.nan])


def is_voice(measurement: Measurement) -> bool:
    """Whether what sounds is speech: most of its F0 moves on. Its words are no sounds of their own."""
    voiced = float(np.mean(np.isfinite(measurement.pitch.values)))
    return voiced >= VOICED and wanders(measurement.pitch, 0.0, measurement.duration)


def smooth(values: Frames) -> Frames:
    """Running median over nine frames: stray frames are no turn."""
    if len(values) < 9:
        return values
    return np.median(np.lib.stride_tricks.sliding_window_view(np.pad(values, 4, mode="edge"), 9), axis=1)


def ends_of(values: Frames) -> tuple[float, float] | None:
    """Medians of the first and the last share of `values`; None if there are too few."""
    if len(values) < LEAST_FRAMES:
        return None
    few = max(2, round(ENDS * len(values)))
    return float(np.median(values[:few])), float(np.median(values[-few:]))


def mean_level(decibels: Frames, background: float) -> float | None:
    """Level of frames of `decibels`, the background's power taken out; None of none."""
    if len(decibels) == 0:
        return None
    power = float(np.mean(10 ** (decibels / 10)))
    quiet = min(10 ** (background / 10), power * 0.75)  # one sound that fills the clip is its own background
    return 10 * math.log10(power - quiet)
