"""Notes that sound at once: the partials of a steady sound, explained by as few harmonic series as possible.

Multi-pitch estimators that are made for music (in librosa, essentia, basic-pitch) need a trained model or a licence
that does not fit; for "three notes, near 440, 550 and 660 Hz" peaks of one long spectrum are enough.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from earwitness.audio import SAMPLE_RATE
from reward.measure.facts import Samples
from reward.measure.spectrum import hann

SHORTEST_SECONDS = 0.1
"""Of shorter sounds two notes a third apart cannot be told (40 Hz between lobes)."""
LONGEST_SECONDS = 0.256
"""Longer frames part closer notes, but hands do not hold them steady."""
BEFORE_ENDS = 2 / 3
"""Of a chord of which one note ends before the others: what is looked at if the whole is not steady."""
HALF_SECONDS = 0.128
"""Of half a sound, to tell whether its peaks sound on."""
POINTS = 16384
"""Of the transform: a bin is 1 Hz."""
LOWEST_HZ, HIGHEST_HZ = 60.0, 5_000.0
"""Where peaks are looked for."""
DEEPEST_HZ, DEEP_HZ = 25.0, 62.0
"""F0 of tones too deep for the trackers: what is heard as a pitch begins at 20 to 30 Hz."""
DEEP_SERIES = range(2, 6)
"""Partials of such a tone that are taken for a note."""
MOST_FAINT = 2
"""Its lowest partials that may be too faint to stand out are fewer: 4, 5 and 6 in a row are a major chord."""
DEEP_PARTIALS = 12
"""Its partials that are looked at: above, strings are sharp."""
DEEP_OFF = 0.02
"""How far, as a share, a multiple of it may be from them: a bin is 3 % of its own, 1 % of its third partial."""
DEEP_PRIMES, PRIME_OFF = (2, 3, 5, 7, 11), 0.01
"""Partials of a tone that are no multiples of one another, and how far they may be off: a minor seventh is by 0.018."""
PEAK_DB = 40.0
"""A peak is at most so far below the strongest."""
ABOVE_NOISE_DB = 22.0
"""A peak is at least so far above the median of the spectrum: peaks of white noise reach 13 dB."""
NOTE_DB = 22.0
"""A fundamental is at most so far below the strongest peak; weaker ones are side lobes and hum."""
SERIES = (2, 3, 4)
"""Partials of a note whose own is faint."""
FAINT_DB, FAINT_SERIES = 52.0, (2, 3, 4, 5, 7)
"""Where it is hardly there, as of deep notes: how far it may be below, and the partials that then must be; the
common period of two other notes has not all of them."""
FAINT_ABOVE_DB = 10.0
"""Least height of such a one above the median of the spectrum, which its partials have raised."""
SPREAD_FROM = 4
"""A vibrato spreads this partial and those above."""
REFINED = 0.035
"""How far, as a share, the first partial of a note may be from the F0 of its others: of a deep one it is broad."""
PARTIAL, PARTIAL_HZ = 0.012, 4.0
"""How far a partial may be from a multiple of its fundamental: a share of it, and Hz."""
CLOSEST = 2 ** (0.7 / 12)
"""Ratio of two notes that are told apart."""
WIDEST = 4.0
"""Ratio of the highest note to the lowest: above it the partials of strings and bars are no multiples any more."""
COMPLEX_SHARE, COMPLEX_FEWEST = 0.75, 5
"""Peaks at so many of the consecutive multiples of one F0 are one sound without its lowest partials, not a chord."""
VALLEY_DB = 15.0
"""Least dip between two notes."""
SURE_NOTES = 4
"""More may be partials of deeper ones."""
MOST_NOTES = 6
"""More at once are a cluster, in which no one counts."""
TONAL = 0.7
"""Least share of the power that lies in the peaks."""
PERHAPS_TONAL = 0.6
"""With less it is noise or a cymbal, and no peak of it a note; chords of recorded instruments have 0.87 and more."""


def steady(samples: Samples, notes: tuple[float, ...], f0: float | None) -> bool:
    """Whether each of `notes` sounds in a half of `samples` and two in both, where told: a voice's have moved on."""
    if len(notes) > SURE_NOTES or _partials_of_one(notes):
        return False
    for share in (1.0, BEFORE_ENDS):
        halves = np.array_split(samples[: int(share * len(samples))], 2)
        found = [notes_at_once(half, f0)[1] for half in halves if len(half) >= LONGEST_SECONDS * SAMPLE_RATE]
        if not found:
            return share == 1.0
        heard = [sum(_sounds(note, peaks) for peaks in found) for note in notes]
        if min(heard) > 0 and sum(count == len(found) for count in heard) >= 2:
            return True
    return False


def is_deeper(samples: Samples, lowest: float, peaks: tuple[float, ...]) -> bool:
    """Whether `lowest`, F0 or the lowest note of `samples`, is or may be a partial of a tone too deep to be tracked.

    It is where F0 of that tone stands out as well; it may be where `peaks` are its partials one after the other.
    """
    bases = [lowest / k for k in DEEP_SERIES if DEEPEST_HZ <= lowest / k <= DEEP_HZ]
    if not bases or len(samples) < SHORTEST_SECONDS * SAMPLE_RATE:
        return False
    power, lobe = _spectrum(samples)
    width = SAMPLE_RATE / POINTS
    low, high = int(DEEPEST_HZ * (1 - DEEP_OFF) / width), int(DEEP_HZ * (1 + DEEP_OFF) / width)
    least = power[low:].max() * 10 ** (-NOTE_DB / 10)
    stand_out = [
        p * width for p in range(low, high + 1)
        if power[p] >= least and power[max(0, p - lobe) : p + lobe + 1].max() <= power[p]
    ]  # fmt: skip
    if any(abs(hertz / base - 1) <= DEEP_OFF for hertz in stand_out for base in bases):
        return True
    faint = [base for base in bases if round(lowest / base) <= MOST_FAINT]
    return len(peaks) > 1 and any(_in_a_row(peaks, base) for base in faint)


def deep_tone(notes: tuple[float, ...]) -> float | None:
    """F0, Hz, of the one tone too deep to be tracked of which `notes` are partials; None unless that is sure.

    Of partials that are taken for notes those with a prime number are left. No chord has 2, 3, 5 and 7 of one F0.
    """
    base = notes[0] / 2 if notes else 0.0
    if not DEEPEST_HZ <= base <= DEEP_HZ:
        return None
    numbers = np.array(notes) / base
    nearest = np.round(numbers)
    primes = set(DEEP_PRIMES[:4]) <= set(nearest) <= set(DEEP_PRIMES)
    exact = bool(np.all(np.abs(numbers / nearest - 1) <= PRIME_OFF))
    return float(np.median(np.array(notes) / nearest)) if primes and exact else None


def perhaps_deep(notes: tuple[float, ...]) -> bool:
    """Whether the lowest of `notes` and one a fifth above may be partials 2 and 3 of a tone too deep to be tracked."""
    return notes[0] <= 2 * DEEP_HZ and any(abs(note / notes[0] / 1.5 - 1) <= DEEP_OFF for note in notes)


def _in_a_row(peaks: tuple[float, ...], base: float) -> bool:
    """Whether those of `peaks` that are low are neighbouring multiples of `base`; of two notes some are left out."""
    numbers = np.array([peak / base for peak in peaks if peak < DEEP_PARTIALS * base])
    nearest = np.round(numbers)
    return bool((np.abs(numbers / nearest - 1) <= DEEP_OFF).all() and np.ptp(nearest) == len(set(nearest)) - 1)


def _sounds(note: float, peaks: tuple[float, ...]) -> bool:
    """Whether `note` is among `peaks`, or its next partials are."""
    there = [any(abs(peak / (k * note) - 1) < 2 * PARTIAL for peak in peaks) for k in (1, *SERIES)]
    return there[0] or all(there[1:])


def held(samples: Samples, peaks: tuple[float, ...]) -> int:
    """How many of `peaks` are heard in both halves of `samples`: those of noise and of a voice move on."""
    halves = [half for half in np.array_split(samples, 2) if len(half) >= HALF_SECONDS * SAMPLE_RATE]
    if len(peaks) < 2 or not halves:
        return len(peaks)
    found = [np.array(notes_at_once(half, None)[1]) for half in halves]
    return sum(all(np.any(np.abs(there / peak - 1) < PARTIAL) for there in found) for peak in peaks)


def _partials_of_one(notes: tuple[float, ...]) -> bool:
    """Whether four of `notes` are multiples of a half or a third of one: partials of a deeper one, too faint itself."""
    found = np.array(notes)
    bases = np.concatenate([found / 2, found / 3])
    multiples = found / bases[:, None]
    return bool((np.sum(np.abs(multiples - np.round(multiples)) <= PARTIAL * multiples, axis=1) >= 4).any())


def notes_at_once(samples: Samples, f0: float | None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(fundamentals of the steady sound `samples` in Hz, lowest first, () unless there are two or more; its peaks).

    `f0` is the common period that a monophonic estimator finds, if any. Notes at a multiple of a lower one (an octave
    apart) are heard as its partials and are not told apart.
    """
    if len(samples) < SHORTEST_SECONDS * SAMPLE_RATE:
        return (), ()
    power, lobe = _spectrum(samples)
    width = SAMPLE_RATE / POINTS
    low, high = int(LOWEST_HZ / width), int(HIGHEST_HZ / width)
    band = power[low:high]
    loudest, middle = float(band.max()), float(np.median(power))
    inner = band[1:-1]
    least = max(loudest * 10 ** (-FAINT_DB / 10), middle * 10 ** (FAINT_ABOVE_DB / 10))
    peaks = low + 1 + np.flatnonzero((inner > band[:-2]) & (inner >= band[2:]) & (inner > least))
    every = peaks[[power[max(0, p - lobe) : p + lobe + 1].max() <= power[p] for p in peaks]]  # no side lobes
    clear = max(loudest * 10 ** (-PEAK_DB / 10), middle * 10 ** (ABOVE_NOISE_DB / 10))
    peaks = every[power[every] > clear]
    heard = tuple((peaks * width)[power[peaks] >= loudest * 10 ** (-NOTE_DB / 10)].tolist())
    if len(peaks) < 2:
        return (), heard
    inside = np.zeros(len(power), dtype=bool)
    for p in peaks:
        inside[max(0, p - lobe) : p + lobe + 1] = True
    tonal = power[inside].sum() / power[low:].sum()
    if tonal < TONAL:
        return (), heard if tonal >= PERHAPS_TONAL else ()
    found = _fundamentals(every * width, power[every], clear)
    if len(found) < 2 or len(found) > MOST_NOTES or _is_complex_tone(peaks * width, f0):
        return (), heard
    loud = [note for note in found if power[round(note / width)] > clear]
    if not all(_apart(power, round(a / width), round(b / width)) for a, b in pairwise(loud)):
        return (), heard
    return tuple(found), heard


def _spectrum(samples: Samples) -> tuple[np.ndarray, int]:
    """Power `[bins]` of a frame in the middle of `samples`, and bins from a peak to the end of its lobe."""
    length = min(len(samples), int(LONGEST_SECONDS * SAMPLE_RATE))
    begin = (len(samples) - length) // 2
    power = np.abs(np.fft.rfft(samples[begin : begin + length] * hann(length), POINTS)) ** 2
    return power, int(2 * POINTS / length)


def _fundamentals(hertz: np.ndarray, power: np.ndarray, least: float) -> list[float]:
    """The lowest peak is a note and takes its multiples; then the lowest of what is left.

    A faint one is none, and takes nothing, unless it has a series of partials; one below `least` a longer series.
    """
    found: list[float] = []
    strong = power >= power.max() * 10 ** (-NOTE_DB / 10)
    clear = power > least
    left = np.ones(len(hertz), dtype=bool)
    for index in range(len(hertz)):
        note = float(hertz[index])
        series = _has_series(note, hertz[strong], SERIES) if clear[index] else False
        series = series or _has_series(note, hertz[clear], FAINT_SERIES)
        if not left[index] or not (strong[index] or series) or (not series and _beside_partial(note, found)):
            continue
        if found and note > WIDEST * found[0]:
            break
        for f0 in (note, _refined(note, hertz[clear])):
            multiple = np.round(hertz / f0)
            left &= ~((multiple >= 1) & (np.abs(hertz - multiple * f0) <= PARTIAL * hertz + PARTIAL_HZ))
        if not found or note / found[-1] >= CLOSEST:
            found.append(note)
    return found


def _has_series(note: float, hertz: np.ndarray, series: tuple[int, ...]) -> bool:
    """Whether those partials of `note` are among `hertz`."""
    return all(np.any(np.abs(hertz / (multiple * note) - 1) <= PARTIAL) for multiple in series)


def _beside_partial(note: float, found: list[float]) -> bool:
    """Whether `note` may be an upper partial of one of `found` that a vibrato has spread."""
    multiples = [(round(note / f0), f0) for f0 in found]
    return any(k >= SPREAD_FROM and abs(note / (k * f0) - 1) <= REFINED for k, f0 in multiples)


def _refined(note: float, hertz: np.ndarray) -> float:
    """The F0 of partials 2, 3 and 4 that are near those of `note`, if they agree; else `note`."""
    near = [float(hertz[np.argmin(np.abs(hertz - k * note))]) / k for k in SERIES]
    agree = all(abs(f0 / note - 1) <= REFINED for f0 in near) and max(near) / min(near) - 1 <= PARTIAL
    return float(np.median(near)) if agree else note


def _apart(power: np.ndarray, low: int, high: int) -> bool:
    """True if the spectrum dips between two peaks; that of a glide is filled."""
    return bool(power[low:high].min() <= min(power[low], power[high]) * 10 ** (-VALLEY_DB / 10))


def _is_complex_tone(hertz: np.ndarray, f0: float | None) -> bool:
    if f0 is None:
        return False
    multiples = np.round(hertz / f0)
    fits = np.abs(hertz - multiples * f0) <= PARTIAL * hertz + PARTIAL_HZ
    if not fits.all() or len(set(multiples)) < COMPLEX_FEWEST:
        return False
    return len(set(multiples)) >= COMPLEX_SHARE * (multiples.max() - multiples.min() + 1)
