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
HALF_SECONDS = 0.128
"""Of half a sound, to tell whether its peaks sound on."""
POINTS = 16384
"""Of the transform: a bin is 1 Hz."""
LOWEST_HZ, HIGHEST_HZ = 60.0, 5_000.0
"""Where peaks are looked for."""
PEAK_DB = 40.0
"""A peak is at most so far below the strongest."""
ABOVE_NOISE_DB = 22.0
"""A peak is at least so far above the median of the spectrum: peaks of white noise reach 13 dB."""
NOTE_DB = 22.0
"""A fundamental is at most so far below the strongest peak; weaker ones are side lobes and hum."""
SERIES = (2, 3, 4)
"""Partials of a note whose own is faint."""
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
PERHAPS_TONAL = 0.15
"""With less it is noise, and no peak of it a note."""


def steady(samples: Samples, notes: tuple[float, ...], f0: float | None) -> bool:
    """Whether each of `notes` sounds in a half of `samples` and two in both, where told: a voice's have moved on."""
    halves = [half for half in np.array_split(samples, 2) if len(half) >= LONGEST_SECONDS * SAMPLE_RATE]
    found = [notes_at_once(half, f0)[1] for half in halves]
    heard = [sum(any(abs(peak / note - 1) < 2 * PARTIAL for peak in peaks) for peaks in found) for note in notes]
    if len(notes) > SURE_NOTES or _partials_of_one(notes):
        return False
    return not found or (min(heard) > 0 and sum(count == len(found) for count in heard) >= 2)


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
    length = min(len(samples), int(LONGEST_SECONDS * SAMPLE_RATE))
    if length < SHORTEST_SECONDS * SAMPLE_RATE:
        return (), ()
    begin = (len(samples) - length) // 2
    power = np.abs(np.fft.rfft(samples[begin : begin + length] * hann(length), POINTS)) ** 2
    width = SAMPLE_RATE / POINTS
    low, high = int(LOWEST_HZ / width), int(HIGHEST_HZ / width)
    least = max(
        float(power[low:high].max()) * 10 ** (-PEAK_DB / 10), float(np.median(power)) * 10 ** (ABOVE_NOISE_DB / 10)
    )
    band = power[low:high]
    inner = band[1:-1]
    peaks = low + 1 + np.flatnonzero((inner > band[:-2]) & (inner >= band[2:]) & (inner > least))
    lobe = int(2 * SAMPLE_RATE / length / width)
    peaks = peaks[[power[max(0, p - lobe) : p + lobe + 1].max() <= power[p] for p in peaks]]  # no side lobes
    heard = tuple((peaks * width)[power[peaks] >= power[low:high].max() * 10 ** (-NOTE_DB / 10)].tolist())
    if len(peaks) < 2:
        return (), heard
    inside = np.zeros(len(power), dtype=bool)
    for p in peaks:
        inside[max(0, p - lobe) : p + lobe + 1] = True
    tonal = power[inside].sum() / power[low:].sum()
    if tonal < TONAL:
        return (), heard if tonal >= PERHAPS_TONAL else ()
    found = _fundamentals(peaks * width, power[peaks])
    if len(found) < 2 or len(found) > MOST_NOTES or _is_complex_tone(peaks * width, f0):
        return (), heard
    if not all(_apart(power, round(a / width), round(b / width)) for a, b in pairwise(found)):
        return (), heard
    return tuple(found), heard


def _fundamentals(hertz: np.ndarray, power: np.ndarray) -> list[float]:
    """The lowest peak is a note and takes its multiples; then the lowest of what is left.

    A faint one is none, and takes nothing, unless it has a series of partials.
    """
    found: list[float] = []
    strong = power >= power.max() * 10 ** (-NOTE_DB / 10)
    left = np.ones(len(hertz), dtype=bool)
    for index in range(len(hertz)):
        note = float(hertz[index])
        if not left[index] or not (strong[index] or _has_series(note, hertz[strong])):
            continue
        if found and note > WIDEST * found[0]:
            break
        multiple = np.round(hertz / note)
        left &= ~((multiple >= 1) & (np.abs(hertz - multiple * note) <= PARTIAL * hertz + PARTIAL_HZ))
        if not found or note / found[-1] >= CLOSEST:
            found.append(note)
    return found


def _has_series(note: float, hertz: np.ndarray) -> bool:
    """Whether partials 2, 3 and 4 of `note` are among `hertz`."""
    return all(np.any(np.abs(hertz / (multiple * note) - 1) <= PARTIAL) for multiple in SERIES)


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
