"""F0 by a second method, that of McLeod and Wyvill (2005, "A smarter way to find pitch"), and whether it bears out the
first. What rings on from the sound before is told apart from what is struck."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from earwitness.audio import SAMPLE_RATE
from reward.measure.chord import deep_tone, perhaps_deep
from reward.measure.facts import CLEAR, Event, Frames, Samples, in_parallel

WINDOW = 2048
"""Samples (128 ms) of a window where the period is not known: six periods of 50 Hz."""
PERIODS = 6
"""Periods of a window where it is: a glide moves little in them."""
LAGS = (6, 320)
"""Samples of the shortest and the longest period: 2,667 and 50 Hz."""
PLACES = 5
FIRST = 0.9
"""The first peak so near the highest is the period; later ones are its multiples."""
NONE = 0.6
"""Up to that height there is none."""
MOST_OF = 0.8
"""Where F0 is known of a smaller share of a sound, the places are taken there."""
NEAR_SECONDS = 0.03
"""Two methods are compared at places no further from each other."""
AGREE = 0.04
"""Two methods that find one F0 differ by less."""
MOST_PLACES = 0.6
"""Share of the places at which they must."""
FEWEST_PARTIALS = 3
"""Of fewer peaks the spectrum tells no F0."""
OFF = 0.1
"""How far a partial may be from its place, as a share of F0."""
HIGHEST_HZ = 1_600.0
"""Above it a period has ten samples and fewer, too few for this method."""
SAME_NOTE = 0.03
"""Two measurements of one note differ by less."""
ADJACENT_SECONDS = 0.02
"""Sounds with less between them go on from one to the next."""


def bears_out(samples: Samples, f0: Frames, times: Frames, vowel: bool = False) -> bool:
    """Whether this method finds in `samples`, one event, the F0 frames `f0` at `times` (seconds from its beginning).

    It looks at places all over the event, or, of a phrase, in the `vowel` that has them.
    """
    size = int(np.clip(PERIODS * SAMPLE_RATE / float(np.median(f0)), WINDOW // 4, WINDOW))
    begin, end = (int(time * SAMPLE_RATE) for time in (times[0], times[-1]))
    if vowel and end - begin < MOST_OF * len(samples):
        begin = max(0, begin - size // 2)
        samples, times = samples[begin : end + size // 2], times - begin / SAMPLE_RATE
    answers = []
    for middle, period, height in _places(samples, size):
        nearest = int(np.argmin(np.abs(times - middle)))
        if abs(times[nearest] - middle) <= NEAR_SECONDS:
            answers.append(height >= NONE and abs(SAMPLE_RATE / period / f0[nearest] - 1) < AGREE)
    return bool(answers) and float(np.mean(answers)) >= MOST_PLACES


def level_tone(samples: Samples, peaks: tuple[float, ...]) -> float | None:
    """F0 of one tone that stays where it is, Hz, where this method and `peaks` of its spectrum agree; else None.

    Of a deep note the fundamental may be too faint for a tracker, whose partials are there.
    """
    found = [(SAMPLE_RATE / period, height) for _, period, height in _places(samples, WINDOW)]
    if len(peaks) < FEWEST_PARTIALS or not found or min(height for _, height in found) < CLEAR:
        return None
    f0 = float(np.median([hertz for hertz, _ in found]))
    if max(abs(hertz / f0 - 1) for hertz, _ in found) > AGREE:
        return None
    numbers = np.array(peaks) / f0
    nearest = np.round(numbers)
    fits = np.abs(numbers - nearest) <= OFF
    together = int(np.gcd.reduce(nearest.astype(int)))
    return f0 if fits.all() and together == 1 else None


def repeats(samples: Samples) -> bool:
    """Whether this method finds one period in `samples`, or may."""
    heights = [height for _, _, height in _places(samples, WINDOW)]
    return bool(heights) and float(np.median(heights)) > NONE


def _places(samples: Samples, size: int) -> list[tuple[float, float, float]]:
    """(seconds, samples of the period, how well it repeats) at places of `samples`, in windows of `size`."""
    size = min(size, len(samples))
    longest = min(LAGS[1], size // 2 - 2)
    if longest <= LAGS[0] + 2:
        return []
    begins = np.linspace(0, len(samples) - size, PLACES + 2).astype(int)[1:-1].tolist()
    return [
        ((begin + size / 2) / SAMPLE_RATE, *_period(samples[begin : begin + size].astype(np.float64), longest))
        for begin in begins
    ]


def _period(window: Frames, longest: int) -> tuple[float, float]:
    """Samples of the period and how well the window repeats after it."""
    window = window - window.mean()
    length = next_fast_len(len(window) + longest + 2, real=True)
    products = irfft(np.abs(rfft(window, length)) ** 2, length)[: longest + 2]
    squares = np.concatenate([np.zeros(1), np.cumsum(window * window)])
    lags = np.arange(longest + 2)
    powers = squares[len(window) - lags] + squares[-1] - squares[lags]
    heights = 2 * products / np.maximum(powers, 1e-12)
    inner = heights[1:-1]
    peaks = 1 + np.flatnonzero((inner > heights[:-2]) & (inner >= heights[2:]))
    peaks = peaks[peaks >= LAGS[0]]
    best = float(heights[peaks].max(initial=0.0))
    if best <= 0:
        return 1.0, 0.0
    lag = int(peaks[heights[peaks] >= FIRST * best][0])
    a, b, c = heights[lag - 1 : lag + 2]
    curve = a - 2 * b + c
    return lag + (0.5 * (a - c) / curve if curve < 0 else 0.0), best


def struck(events: list[Event]) -> list[Event]:
    """Where the sound before rings on in an event, its pitch is the note that is new; unsure unless there is one."""
    done: list[Event] = []
    ringing: set[float] = set()
    for event in events:
        heard = event.notes
        if not done or event.start - done[-1].end > ADJACENT_SECONDS:
            ringing = set()
        elif heard:
            new = tuple(note for note in heard if all(abs(note / old - 1) > SAME_NOTE for old in ringing))
            event = _new_in(event, new, done)
        ringing |= {*heard, *([event.pitch] if event.pitch else [])}
        done.append(event)
    return done


def _new_in(event: Event, new: tuple[float, ...], before: list[Event]) -> Event:
    """`event`, in which those `before` ring on, with the pitch of its `new` notes."""
    sure = before[-1].pitch_sure
    deep = deep_tone(new)
    chords = [other.notes for other in before if not other.rings]
    if len(new) > 1 and not perhaps_deep(new) and any(in_parallel(new, notes) for notes in chords):
        return replace(event, notes=new, pitch=new[0], pitch_start=new[0], pitch_end=new[0], pitch_sure=sure)
    one = deep or (new[0] if len(new) == 1 else event.pitch)
    sure = deep is not None or (len(new) == 1 and sure)
    return replace(event, pitch=one, pitch_start=one, pitch_end=one, rings=True, pitch_sure=sure)
