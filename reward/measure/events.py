"""The sounds of a clip, one by one, with level, pitch and timbre."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from earwitness.audio import SAMPLE_RATE
from reward.measure.chord import SHORTEST_SECONDS, held, is_deeper, notes_at_once, steady
from reward.measure.cuts import FLAM_SECONDS, NEAR_SECONDS, cut_at_onsets
from reward.measure.facts import CLEAR, Contour, Event, Frames, Samples
from reward.measure.flux import Onsets
from reward.measure.level import SILENT_DB, Levels, rms_db
from reward.measure.pitch import is_glide, split_at_jumps, stray_ends, wanders
from reward.measure.second import HIGHEST_HZ, SAME_NOTE, bears_out, level_tone, repeats, struck
from reward.measure.spectrum import (
    NO_OVERTONES,
    Partials,
    centroid_and_bandwidth,
    high_tone,
    measure_partials,
    periodicity,
)

FILLED_DB = 6.0
"""A background less than this below a sound is that sound."""
EDGE_SECONDS = 0.006
"""Left out at both ends of an event, where it fades in and out."""
VOICED_SHARE = 0.6
"""Least share of frames with an F0 for an event to have a pitch: noise has a few stray ones."""
SPEECH_SECONDS = 0.3
"""A longer event without a pitch as a whole may be a phrase, whose vowels have one."""
VOICED_RUN = 16
"""Frames (80 ms) of a vowel."""
PERIODIC = 0.6
"""Least periodicity for an event to have a pitch: that of a tone 2 dB above its noise."""
NOISY = 0.4
"""Below this periodicity an event without a pitch is noise."""
SQUARE_THIRD = 0.2
"""Third partial that parts a square (1/3) from a triangle (1/9), in between on a log scale."""
ODD_ONLY = 0.1
"""Largest even share of a sound with odd partials only; a sawtooth has 0.64."""
ALL_PARTIALS = 0.3
"""Least even share of a sound with all partials."""
CURVE_OCTAVES = 0.02
"""Largest residual of that curve, a quarter of a semitone: glides of tones stay within a tenth of it."""
NEAR_FRAMES = 20
"""Most frames (0.1 s) that tell an end of a contour that is no such curve."""
VIBRATO_CROSSINGS = 8
"""A contour that crosses its median so often swings around it: its ends are those of the swing."""
FIT_POINTS = 5
"""Fewest F0 frames for a curve through them."""


FAINT_DB = 25.0
"""What is so far below the loudest event is none: crackle of a record, the room after a word."""
DEEP_HZ = 150.0
"""Of a sound whose spectrum lies below, F0 may be under what is looked for."""
LOW_HZ, LOW_PARTIALS, OFF = 120.0, 12, 0.15
"""Of a lower F0 the first partials are looked at: how far, as a share of F0, they may be from their places."""
CLICK_DB, CLICK_SECONDS = 18.0, 0.03
"""Of a click so much is enough,"""
RUMBLE_HZ = 75.0
"""and of a rumble, to which the ear is deaf."""
TRAIL_DB = 10.0
"""What begins in a sound and is so far below its beginning may be a part of it."""
HEARD_DB = 40.0
"""What is so far below may be one that is spoken of."""
FADES_DB = 12.0
"""Of what fades by more, peaks are lost."""
FEWEST_HELD = 2
"""So many peaks that sound on are notes at once, or may be."""
CHORD_SECONDS = 0.6
"""Of notes at once among which F0 wanders: syllables are shorter."""
ATTACK_DB = 6.0
"""A note is louder than its attack by so much and more."""
JUMP_SECONDS = 0.08
"""A jump of F0 begins a new sound surely if the tones on both sides are as long and clear."""


def find_events(
    samples: Samples, levels: Levels, pitch: Contour, onsets: Onsets, entries: Onsets
) -> tuple[tuple[Event, ...], list[float]]:
    """Every event of `samples`, in order, and the onsets of faint ones; cut at `onsets`, rows of notes at `entries`."""
    events: list[Event] = []
    for stretch in cut_at_onsets(levels, pitch, onsets, entries):
        pieces = split_at_jumps(pitch, stretch.start, stretch.end)
        edges = sorted({*(start for start, _ in pieces), *stretch.entries, stretch.end})
        tones = [_event(samples, levels, pitch, start, end) for start, end in pairwise(edges)]
        row = bool(stretch.entries) and all(_note(tone) for tone in tones)
        if stretch.entries and not row:
            tones = [_event(samples, levels, pitch, start, end) for start, end in pieces]
        if len(tones) > 1 and not row:
            # The F0 of a chord wanders between its notes: such cuts are none.
            whole = _event(samples, levels, pitch, stretch.start, stretch.end)
            if whole.notes and all(_same_notes(tone, whole) for tone in tones):
                tones = [whole]
            elif not all(_clear(tone) for tone in tones):
                tones = [whole]  # an F0 that wanders through a hum
        events += [replace(tone, sure=stretch.sure or number > 0) for number, tone in enumerate(tones)]
    loudest = max((event.level for event in events), default=0.0)
    faint = [event.start for event in events if loudest - HEARD_DB < event.level <= _least(loudest, event)]
    if events and levels.rise < events[0].start - NEAR_SECONDS:
        faint.insert(0, levels.rise)
    found = _with_attacks([event for event in events if event.level > _least(loudest, event)])
    return tuple(struck(found)), faint


def _least(loudest: float, event: Event) -> float:
    """dBFS up to which such an event is faint."""
    hardly_heard = event.duration < CLICK_SECONDS or event.centroid < RUMBLE_HZ
    return loudest - (CLICK_DB if hardly_heard else FAINT_DB)


def _with_attacks(events: list[Event]) -> list[Event]:
    """`events`, a soft attack as part of the note that it leads to: it is at its pitch already."""
    found: list[Event] = []
    for event in events:
        before = found[-1] if found else None
        if before is not None and _leads_to(before, event):
            found[-1] = replace(event, start=before.start, sure=before.sure, level_start=before.level_start)
        else:
            found.append(replace(event, sure=event.sure and not _trails(before, event)))
    return found


def _trails(before: Event | None, event: Event) -> bool:
    """Whether it may be how the sound `before` dies away, which is not always evenly."""
    if before is None or event.start - before.end >= EDGE_SECONDS:
        return False
    return before.level_start - max(event.level_start, event.level) > TRAIL_DB


def _leads_to(one: Event, other: Event) -> bool:
    near = one.duration < FLAM_SECONDS and other.start - one.end < EDGE_SECONDS
    if not near or one.pitch is None or other.pitch is None or other.level - one.level < ATTACK_DB:
        return False
    return abs(other.pitch / one.pitch - 1) < SAME_NOTE


def _clear(tone: Event) -> bool:
    return tone.pitch is not None and tone.harmonicity >= CLEAR and tone.duration >= JUMP_SECONDS


def _note(tone: Event) -> bool:
    """Whether it is one note or several: what enters in a hum, a drum or a bell is none."""
    return tone.duration >= JUMP_SECONDS and (bool(tone.notes) or _clear(tone))


def _same_notes(tone: Event, whole: Event) -> bool:
    """True unless `tone`, a piece of `whole`, has notes (or is one) that differ from the whole's."""
    if not tone.notes:
        return tone.duration < SHORTEST_SECONDS or tone.pitch is None or tone.pitch < whole.notes[0] * 0.97
    return len(tone.notes) == len(whole.notes) and bool(np.allclose(tone.notes, whole.notes, rtol=0.03))


@dataclass(frozen=True)
class _Tones:
    """What is tonal of an event."""

    f0: Frames
    """Hz; empty without a pitch."""
    times: Frames
    """Seconds of the frames of `f0`."""
    clarity: float
    """How well it repeats after one period."""
    notes: tuple[float, ...]
    peaks: tuple[float, ...]
    held: int
    sure: bool
    """Whether a second method bears out the pitch, the notes, or that there are none."""


def _event(samples: Samples, levels: Levels, pitch: Contour, start: float, end: float) -> Event:
    trim = min(EDGE_SECONDS, (end - start) / 4)
    inner = samples[int((start + trim) * SAMPLE_RATE) : int((end - trim) * SAMPLE_RATE)]
    quarter = max(1, len(inner) // 4)
    # Where one sound fills the clip, the "background" is that sound.
    quiet = levels.background if levels.background < rms_db(inner, SILENT_DB) - FILLED_DB else SILENT_DB
    first, last = rms_db(inner[:quarter], quiet), rms_db(inner[-quarter:], quiet)
    centroid, bandwidth = centroid_and_bandwidth(inner, quiet)
    found = _tones(inner, pitch, (start, end, trim), fades=first - last > FADES_DB, deep=centroid <= DEEP_HZ)
    pitched = len(found.f0) > 0
    partials = measure_partials(inner, found.f0) if pitched and not found.notes else None
    pitch_hz = float(np.median(found.f0)) if pitched else None
    begin_hz, end_hz = _ends(found.f0, found.times, start, end) if pitched else (None, None)
    if found.notes:
        pitch_hz = begin_hz = end_hz = found.notes[0]
    return Event(
        start=start,
        end=end,
        level=rms_db(inner, quiet),
        level_start=first,
        level_end=last,
        pitch=pitch_hz,
        pitch_start=begin_hz,
        pitch_end=end_hz,
        harmonicity=found.clarity,
        overtones=partials.overtones if partials else None,
        even_share=partials.even_share if partials else None,
        third=partials.third if partials else None,
        centroid=centroid,
        bandwidth=bandwidth,
        wave=_wave(partials, pitch_hz is not None, found.clarity),
        partials=partials.levels if partials else (),
        pitch_sure=found.sure,
        notes=found.notes,
        peaks=found.peaks,
        held=found.held,
    )


def _tones(inner: Samples, pitch: Contour, place: tuple[float, float, float], fades: bool, deep: bool) -> _Tones:
    """Pitch and notes of `inner`, an event from start to end, so many seconds trimmed off (`place`)."""
    f0, times, clarity = _tracked(inner, pitch, *place)
    middle = float(np.median(f0)) if len(f0) else None
    moving = len(f0) > 0 and is_glide(np.log2(f0))
    notes, peaks = notes_at_once(inner, middle)
    sounding_on = 0 if notes and not moving else len(peaks) if fades else held(inner, peaks)
    heard = () if moving or notes else peaks
    if moving or (wanders(pitch, *place[:2]) and not (notes and _sound_on(inner, notes))):
        notes, peaks = (), ()
    fits = bool(notes) or middle is None or _fits(peaks, middle)
    sure = (len(f0) > 0 or bool(notes) or not deep) and fits
    sure = sure and _pitch_sure(inner, f0, times - place[0] - place[2], notes, sounding_on)
    lowest = notes[0] if notes else middle
    if sure and lowest is not None and not moving and is_deeper(inner, lowest, peaks if notes else ()):
        sure, heard = False, ()
    if not sure and heard and (tone := level_tone(inner, heard)) is not None:
        f0, times, sure = np.array([tone]), np.array([place[0]]), True
        clarity, peaks = periodicity(inner, f0), heard
    return _Tones(f0, times, clarity, notes, peaks, sounding_on, sure)


def _tracked(inner: Samples, pitch: Contour, start: float, end: float, trim: float) -> tuple[Frames, Frames, float]:
    """F0 frames of an event by `pitch`, their times, and how well it repeats; no frames where it has no pitch."""
    f0, times = _voiced(pitch, start + trim, end - trim)
    clarity = periodicity(inner, f0) if len(f0) else 0.0
    if clarity < PERIODIC and end - start >= SPEECH_SECONDS:
        f0, times = _longest_run(pitch, start + trim, end - trim)
        if len(f0):
            here = [int((t - start - trim) * SAMPLE_RATE) for t in (times[0], times[-1])]
            clarity = periodicity(inner[max(0, here[0]) : here[1]], f0)
    if len(f0) and clarity >= PERIODIC:
        return f0, times, clarity
    if (tone := high_tone(inner)) is not None:
        return np.array([tone]), np.array([start]), 1.0
    return np.zeros(0), np.zeros(0), clarity


def _sound_on(inner: Samples, notes: tuple[float, ...]) -> bool:
    """Whether all `notes` are there from half to half, as those of a voice are not: it is F0 that cannot follow."""
    return len(inner) >= CHORD_SECONDS * SAMPLE_RATE and held(inner, notes) == len(notes)


def _fits(peaks: tuple[float, ...], f0: float) -> bool:
    """Whether most of `peaks` are partials of `f0`, if that is low: deep notes at once have it as a common one."""
    if f0 >= LOW_HZ or not peaks:
        return True
    numbers = np.array([peak for peak in peaks if peak < LOW_PARTIALS * f0]) / f0
    return len(numbers) == 0 or float(np.mean(np.abs(numbers - np.round(numbers)) <= OFF)) >= VOICED_SHARE


def _pitch_sure(inner: Samples, f0: Frames, times: Frames, notes: tuple[float, ...], sounding_on: int) -> bool:
    """Whether the second method bears out F0 frames at `times`, or that there are none."""
    if notes:
        return steady(inner, notes, float(np.median(f0)) if len(f0) else None)
    if len(f0) and float(np.median(f0)) > HIGHEST_HZ:
        return True
    # Of notes at once some end before the others: what is left of them bears out none of them.
    return bears_out(inner, f0, times, vowel=sounding_on < FEWEST_HELD) if len(f0) else not repeats(inner)


def _voiced(pitch: Contour, start: float, end: float) -> tuple[Frames, Frames]:
    """F0 frames of an event and their times; empty if too few of its frames have an F0."""
    inside = (pitch.times >= start) & (pitch.times <= end)
    voiced = inside & np.isfinite(pitch.values)
    if not inside.any() or voiced.sum() < VOICED_SHARE * inside.sum():
        return np.zeros(0), np.zeros(0)
    return pitch.values[voiced], pitch.times[voiced]


def _longest_run(pitch: Contour, start: float, end: float) -> tuple[Frames, Frames]:
    """F0 frames of the longest voiced run in a stretch, and their times; empty if it is short.

    In speech a sound goes on through consonants, which have no F0.
    """
    inside = np.flatnonzero((pitch.times >= start) & (pitch.times <= end) & np.isfinite(pitch.values))
    runs = np.split(inside, np.flatnonzero(np.diff(inside) > 1) + 1)
    longest = max(runs, key=len)
    if len(longest) < VOICED_RUN:
        return np.zeros(0), np.zeros(0)
    return pitch.values[longest], pitch.times[longest]


def _ends(f0: Frames, times: Frames, start: float, end: float) -> tuple[float, float]:
    """F0 at both ends, Hz, by a parabola through the log-F0: the frames at the very ends are the least sure."""
    if len(f0) < FIT_POINTS:
        return float(f0[0]), float(f0[-1])
    inner = stray_ends(np.log2(f0))
    octaves, times = np.log2(f0)[inner], times[inner]
    if len(octaves) < FIT_POINTS:
        return float(f0[0]), float(f0[-1])
    keep = np.abs(octaves - _running_median(octaves)) < 0.1  # a stray octave error must not bend the curve
    around = np.sign(octaves[keep] - np.median(octaves[keep]))
    if np.count_nonzero(np.diff(around)) >= VIBRATO_CROSSINGS:
        third = len(octaves) // 3
        return float(2 ** np.median(octaves[:third])), float(2 ** np.median(octaves[-third:]))
    middle = (start + end) / 2
    fit = np.polynomial.Polynomial.fit
    curve = fit(times[keep] - middle, octaves[keep], 2)
    if float(np.std(octaves[keep] - curve(times[keep] - middle))) <= CURVE_OCTAVES:
        return float(2 ** curve(start - middle)), float(2 ** curve(end - middle))
    # A contour with a corner, or that of speech: each end by a line through what is near it.
    few = max(FIT_POINTS, min(NEAR_FRAMES, len(octaves) // 4))
    first, last = (
        fit(times[:few], _running_median(octaves)[:few], 1),
        fit(times[-few:], _running_median(octaves)[-few:], 1),
    )
    return float(2 ** first(times[0])), float(2 ** last(times[-1]))


def _running_median(values: Frames) -> Frames:
    padded = np.pad(values, 3, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, 7), axis=1)


def _wave(partials: Partials | None, pitched: bool, repeats: float) -> str:
    if not pitched:
        return "noise" if repeats < NOISY else "other"
    if partials is None:
        return "other"
    if partials.overtones <= NO_OVERTONES or partials.even_share is None:
        return "sine"
    if partials.even_share <= ODD_ONLY:
        return "square" if partials.third >= SQUARE_THIRD else "triangle"
    full = partials.even_share >= ALL_PARTIALS and partials.third >= SQUARE_THIRD
    return "sawtooth" if full else "other"
