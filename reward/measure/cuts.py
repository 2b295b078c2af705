"""Where one sound ends and the next begins: stretches that stand out, cut where something is struck in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from earwitness.audio import SAMPLE_RATE
from reward.measure.chord import SURE_NOTES
from reward.measure.facts import Contour, Event, Frames
from reward.measure.flux import Onsets
from reward.measure.level import HOP, Levels, find_stretches
from reward.measure.pitch import steps_of, wanders

NEAR_SECONDS = 0.06
"""An onset so near the beginning of a stretch is that beginning."""
TAIL_SECONDS = 0.03
"""An onset so near the end of a stretch begins nothing."""
STROKE_DB = 9.6
"""Mean rise of the bands and rise of the level, together, of a stroke in what goes on; hums and hisses reach 9.3."""
PERHAPS_DB = 9.0
"""From here on a rise makes it doubtful which is the n-th sound."""
AROUND_SECONDS = (0.04, 0.05)
"""The level before an onset and that after it are medians over so long."""
FLAM_SECONDS = 0.12
"""A second attack so soon after the first may be of the same sound."""
NOTE_SECONDS = 0.3
"""Where F0 is not sure a sound may be a row of notes of so many seconds."""
DIP_DB = 15.0
"""A sound that begins after so deep a dip begins surely, however softly."""


@dataclass(frozen=True)
class Stretch:
    """From where a sound begins, seconds, to where it ends or the next begins."""

    start: float
    end: float
    sure: bool
    """Whether it is sure that a sound begins here."""


def cut_at_onsets(levels: Levels, pitch: Contour, onsets: Onsets) -> list[Stretch]:
    """The stretches of a clip cut where something is struck while they go on; those of a voice are left whole."""
    pieces: list[Stretch] = []
    before, strokes = -np.inf, strokes_of(levels, onsets)
    for start, end in find_stretches(levels):
        strong = (strokes >= STROKE_DB) & (onsets.times > start + NEAR_SECONDS) & (onsets.times < end - TAIL_SECONDS)
        cuts = [] if strong.any() and wanders(pitch, start, end) else np.flatnonzero(strong).tolist()
        edges = [start, *onsets.times[cuts].tolist(), end]
        struck = bool(np.any((np.abs(onsets.times - start) <= NEAR_SECONDS) & (strokes >= STROKE_DB)))
        soon = np.diff(edges[:-1]) < FLAM_SECONDS
        sure = [struck or _dips(levels, before, start, end), *(~soon).tolist()]
        pieces += [Stretch(a, b, s) for a, b, s in zip(edges[:-1], edges[1:], sure, strict=True)]
        before = end
    if levels.narrow and pieces and not any(piece.sure for piece in pieces[1:]):
        return [Stretch(0.0, len(levels.db) * HOP / SAMPLE_RATE, True)]  # one sound that comes and goes
    return pieces


def _dips(levels: Levels, before: float, start: float, end: float) -> bool:
    """True if the level between `before` and `start` is far below that of the sound from there."""
    gap = levels.db[(levels.times >= before) & (levels.times <= start)]
    here = levels.db[(levels.times >= start) & (levels.times <= end)]
    return not np.isfinite(before) or len(gap) == 0 or float(here.max() - gap.min()) >= DIP_DB


def strokes_of(levels: Levels, onsets: Onsets) -> Frames:
    """How much spectrum and level rise at `onsets`, dB: of a hum either rises, of a stroke both."""
    found = []
    for time, rise in zip(onsets.times, onsets.rises, strict=True):
        first, middle, last = np.searchsorted(levels.times, [time - AROUND_SECONDS[0], time, time + AROUND_SECONDS[1]])
        before, after = levels.db[first:middle], levels.db[middle:last]
        found.append(rise + (float(np.median(after) - np.median(before)) if len(before) and len(after) else 0.0))
    return np.array(found)


def doubtful_onsets(
    events: Sequence[Event], pitch: Contour, levels: Levels, onsets: Onsets
) -> tuple[tuple[float, ...], int]:
    """(seconds at which one more sound may well begin inside an event, how many more there may be at the most)."""
    found: list[float] = []
    most = 0
    strokes = strokes_of(levels, onsets)
    for event in events:
        inside = (onsets.times > event.start + NEAR_SECONDS) & (onsets.times < event.end - TAIL_SECONDS)
        steps = steps_of(pitch, event.start, event.end)
        weak = onsets.times[inside & (strokes >= PERHAPS_DB)].tolist()
        found += steps if len(steps) > len(weak) else weak
        row = 0 if event.pitch_sure or 0 < len(event.notes) <= SURE_NOTES else int(event.duration / NOTE_SECONDS) - 1
        most += max(int(np.sum(inside)), len(steps), row)
    return tuple(found), most
