"""Where new partials enter: it finds a note that joins others which ring on, whose level hardly rises.

The flux (`flux.py`) asks how many bands rise, and a soft low note raises few. Here it is asked how much of the power
lies where there was hardly any before: a third, where a fourth note joins three. In a note that rings out, beats, or
swings with its vibrato, next to none does: its partials come back to where they were.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import maximum_filter1d

from earwitness.audio import SAMPLE_RATE
from reward.measure.facts import Contour, Frames, Samples
from reward.measure.flux import Onsets
from reward.measure.pitch import JUMP_OCTAVES
from reward.measure.spectrum import spectra

HOP = 320
"""Samples between frames (20 ms)."""
FRAME = 2048
"""Samples of a frame (128 ms): tones of 16 Hz apart are parted, a semitone from 260 Hz on, two from 130 Hz on."""
HERTZ = (31.0, 3_000.0)
"""Where partials are looked at: above, those of a new note are faint."""
REACH = 3
"""Frames (60 ms) from the onset to what is before it and to what is after it: half of a frame."""
PAST = 25
"""Frames (0.5 s) of what is before: three swings of a vibrato."""
BINS = 3
"""A partial is looked for in the bins beside its own, too: no player holds it to 4 Hz."""
NEW_DB = 8.0
"""A partial is new where the power rises by so much."""
ENTERS = 0.15
"""Least share of the power that is new where a note enters; the upper partials of held notes reach 0.13."""
APART = 11
"""Frames (0.2 s) around an entry in which there is no other."""
SILENT_DB = 30.0
"""What is so far below the loudest frame is the background, in which all is new now and then."""
AROUND_SECONDS = (0.03, 0.12)
"""From an entry to where F0 is that of the note before, and of the note after."""


def find_entries(samples: Samples, pitch: Contour) -> Onsets:
    """Where new partials enter, and the share of the power that they have; not where `pitch` goes on as it was."""
    low, high = (round(hertz * FRAME / SAMPLE_RATE) for hertz in HERTZ)
    power = np.concatenate(list(spectra(np.pad(samples, FRAME // 2), FRAME, HOP, slice(low, high))))
    share = np.zeros(len(power))
    if len(power) <= 2 * REACH:
        return Onsets(share[:0], share[:0])
    there = maximum_filter1d(power, BINS, axis=1)
    there = maximum_filter1d(there, PAST, axis=0, origin=PAST // 2)[: -2 * REACH]  # of the frames up to this one
    after = power[2 * REACH :]
    total = after.sum(axis=1)
    new = np.where(after > there * 10 ** (NEW_DB / 10), after, 0.0).sum(axis=1)
    heard = total > total.max(initial=0.0) * 10 ** (-SILENT_DB / 10)
    share[REACH:-REACH][heard] = new[heard] / total[heard]
    peaks = np.flatnonzero((share >= ENTERS) & (share == maximum_filter1d(share, APART)))
    kept = [place for place in peaks.tolist() if not _goes_on(pitch, place * HOP / SAMPLE_RATE)]
    return Onsets(np.array(kept, dtype=float) * HOP / SAMPLE_RATE, share[kept])


def _goes_on(pitch: Contour, time: float) -> bool:
    """Whether F0 is the same before and after `time`."""
    near, far = AROUND_SECONDS
    before, after = (_middle(pitch, time + a, time + b) for a, b in ((-far, -near), (near, far)))
    return abs(np.log2(after / before)) < JUMP_OCTAVES / 2 if before and after else False


def _middle(pitch: Contour, start: float, end: float) -> float | None:
    """The median of F0 where most of it is known: a note may have begun in between."""
    frames: Frames = pitch.values[(pitch.times >= start) & (pitch.times <= end)]
    known = frames[np.isfinite(frames)]
    return float(np.median(known)) if len(known) > len(frames) / 2 else None
