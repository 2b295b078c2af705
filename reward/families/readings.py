"""How else a clip may be heard: which onsets begin a sound is not always sure, and a verdict must not hang on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from reward.families.stretches import LEAST_FRAMES, mean_level, within
from reward.measure import Event, Measurement

MOST_ALONE = 6
"""Doubtful onsets that are taken for one alone; beyond them only all together."""
SHORTEST_SECONDS = 0.04
"""Of a piece that may be a sound."""


def readings(measurement: Measurement) -> Iterator[Measurement]:
    """`measurement` with other events: one doubtful onset more, all of them, the unsure events as part of those before.

    Where it is sure what the sounds are there is none.
    """
    events, doubtful = measurement.events, measurement.doubtful
    alone = [[time] for time in doubtful[:MOST_ALONE]] if len(doubtful) > 1 else []
    for times in [*alone, *([list(doubtful)] if doubtful else [])]:
        yield replace(measurement, events=_cut(measurement, times), rhythm=None)
    joined: list[Event] = []
    for event in events:
        if event.sure or not joined:
            joined.append(event)
        else:
            joined[-1] = replace(joined[-1], end=event.end)
    if len(joined) < len(events):
        yield replace(measurement, events=tuple(joined), rhythm=None)


def _cut(measurement: Measurement, times: Sequence[float]) -> tuple[Event, ...]:
    """The events, cut at those of `times` that lie in one of them."""
    cut: list[Event] = []
    for event in measurement.events:
        inside = [t for t in times if event.start + SHORTEST_SECONDS < t < event.end - SHORTEST_SECONDS]
        edges = [event.start, *inside, event.end]
        cut += [_piece(measurement, event, *edge) for edge in pairwise(edges)] if inside else [event]
    outside = [t for t in times if not any(e.start - SHORTEST_SECONDS <= t <= e.end for e in measurement.events)]
    cut += [_piece(measurement, measurement.events[0], t, t + 2 * SHORTEST_SECONDS) for t in outside if cut]
    return tuple(sorted(cut, key=lambda event: event.start))


def _piece(measurement: Measurement, event: Event, start: float, end: float) -> Event:
    """A sound from `start` to `end`, by the contours; for the rest like `event`."""
    piece = replace(event, start=start, end=end)
    levels, centroids = (within(c, [piece], start, end) for c in (measurement.level, measurement.centroid))
    level = mean_level(levels, measurement.background)
    pitch = event.pitch
    if pitch is not None and not event.notes:
        frames = within(measurement.pitch, [piece], start, end)
        pitch = float(np.median(frames)) if len(frames) >= LEAST_FRAMES else None
    return replace(
        piece,
        level=event.level if level is None else level,
        centroid=float(np.median(centroids)) if len(centroids) else event.centroid,
        pitch=pitch,
        pitch_start=pitch,
        pitch_end=pitch,
    )
