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
from reward.measure.pitch import split_at_jumps, steps_of, wanders

NEAR_SECONDS = 0.06
"""An onset so near the beginning of a stretch is that beginning."""
TAIL_SECONDS = 0.03
"""An onset so near the end of a stretch begins nothing."""
STROKE_DB = 9.6
"""Mean rise of the bands and rise of the level, together, of a stroke in what goes on; hums and hisses reach 9.3."""
MORE_DB = 6.0
"""Of strokes that are missed hardly one rises by less; of what rises a little inside one sound, half does."""
NOTE_EDGE_SECONDS = 0.1
"""A note that enters so near to another beginning, or to the end, is none of its own: frames are longer than that."""
FADES_DB = 12.0
"""What fades by more is one sound that rings out, and no row of notes."""
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
    entries: list[float]
    """Seconds at which a note may enter in it."""


def cut_at_onsets(levels: Levels, pitch: Contour, onsets: Onsets, entries: Onsets) -> list[Stretch]:
    """The stretches of a clip cut where something is struck while they go on; those of a voice are left whole.

    Of each it is said where notes may enter: whether they do, their pitch tells.
    """
    pieces: list[Stretch] = []
    before, strokes = -np.inf, strokes_of(levels, onsets)
    for start, end in find_stretches(levels):
        strong = (strokes >= STROKE_DB) & (onsets.times > start + NEAR_SECONDS) & (onsets.times < end - TAIL_SECONDS)
        whole = (strong.any() or len(entries.times)) and wanders(pitch, start, end)
        cuts = [] if whole else onsets.times[strong].tolist()
        edges = [start, *cuts, end]
        struck = bool(np.any((np.abs(onsets.times - start) <= NEAR_SECONDS) & (strokes >= STROKE_DB)))
        soon = np.diff(edges[:-1]) < FLAM_SECONDS
        first = (struck or _dips(levels, before, start, end)) and not (
            pieces and start - pieces[-1].start < FLAM_SECONDS
        )
        sure = [first, *(~soon).tolist()]
        spans = zip(edges[:-1], edges[1:], sure, strict=True)
        pieces += [Stretch(a, b, s, [] if whole else _entering(entries, onsets, pitch, (a, b))) for a, b, s in spans]
        before = end
    if levels.narrow and pieces and not any(piece.sure for piece in pieces[1:]):
        return [Stretch(0.0, len(levels.db) * HOP / SAMPLE_RATE, True, [])]  # one sound that comes and goes
    return pieces


def _entering(entries: Onsets, onsets: Onsets, pitch: Contour, place: tuple[float, float]) -> list[float]:
    """Those of `entries` inside `place` at which F0 does not jump, each as exact as the flux has it."""
    start, end = place
    inside = entries.times[(entries.times > start + NOTE_EDGE_SECONDS) & (entries.times < end - NOTE_EDGE_SECONDS)]
    jumps = [begin for begin, _ in split_at_jumps(pitch, start, end)[1:]] if len(inside) else []
    found = []
    for time in inside.tolist():
        if all(abs(time - jump) > NOTE_EDGE_SECONDS for jump in jumps):
            near = onsets.times[np.abs(onsets.times - time) <= NEAR_SECONDS]
            found.append(float(near[np.argmin(np.abs(near - time))]) if len(near) else time)
    return found


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
        rising = onsets.times[inside & (strokes >= MORE_DB)]
        steps = [
            time for time, octave in steps_of(pitch, event.start, event.end)
            if not octave or np.any(np.abs(rising - time) <= NOTE_EDGE_SECONDS)
        ]  # fmt: skip
        weak = onsets.times[inside & (strokes >= PERHAPS_DB)].tolist()
        found += steps if len(steps) > len(weak) else weak
        fades = event.level_start - event.level_end > FADES_DB
        one = event.pitch_sure or fades or 0 < len(event.notes) <= SURE_NOTES
        row = 0 if one else int(event.duration / NOTE_SECONDS) - 1
        most += max(len(rising), len(steps), row)
    return tuple(found), most
