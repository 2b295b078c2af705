"""What is measured. Errors are the bounds that the tests hold on synthetic clips at 25 dB signal-to-noise ratio."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from reward.recognise.track import Heard

CLEAR = 0.8
"""Least periodicity of what is clearly a tone: 6 dB above its noise."""
STEADY, PULSE = 0.4, 0.2
"""Least strength and pulse of a beat of which there is no doubt: speech and hits at random times have up to 0.26."""
SOME, SAME_BAR = 0.3, 0.97
"""Strength that is enough of music whose bars are all alike, and how alike."""
LIKE_BAR = 0.9
"""Bars so much alike tell the tempo, if not whether what is played in them is even."""
RIVAL = 0.97
"""From here on two tempos are as likely."""
PARALLEL = 0.015
"""How far, as a share, two intervals may be from one another that are one."""
Samples = NDArray[np.float32]
"""Mono waveform `[samples]` at 16 kHz, full scale at 1."""
Frames = NDArray[np.float64]
"""One value a frame `[frames]`."""


@dataclass(frozen=True, eq=False)
class Contour:
    """A quantity over time: `values[i]` at `times[i]` seconds; NaN where it does not apply."""

    times: Frames
    values: Frames


@dataclass(frozen=True)
class Event:
    """One sound with silence or a jump of pitch or level on both sides."""

    start: float
    """Onset, seconds; error 15 ms."""
    end: float
    """End, seconds; error 25 ms."""
    level: float
    """RMS level above the background, dBFS; error 1 dB."""
    level_start: float
    """Level of its first quarter, dBFS."""
    level_end: float
    """Level of its last quarter, dBFS."""
    pitch: float | None
    """Median F0, Hz, error 2 %, of a chord its lowest note; None for noise and for what is too short."""
    pitch_start: float | None
    """F0 at its beginning, Hz, error 4 %."""
    pitch_end: float | None
    """F0 at its end, Hz, error 4 %."""
    harmonicity: float
    """How well the waveform repeats after one period, 0 (noise) to 1 (periodic)."""
    overtones: float | None
    """Energy of partials 2 and up over that of partial 1; None without a pitch or where three partials do not fit."""
    even_share: float | None
    """Energy of even partials over that of partials 2 and up: 0 for odd partials only; None without overtones."""
    third: float | None
    """Amplitude of partial 3 over that of partial 1; None as `overtones`."""
    centroid: float
    """Spectral centroid above the background, Hz."""
    bandwidth: float
    """Spectral spread around the centroid (standard deviation), Hz."""
    wave: str
    """sine, triangle, square, sawtooth, noise, or other."""
    partials: tuple[float, ...] = ()
    """Level of partials 1, 2, ... over that of the strongest, dB, error 2 dB; empty as `overtones`."""
    sure: bool = True
    """Whether it is sure that a sound begins at its start: a swell or a wandering F0 may be none."""
    pitch_sure: bool = True
    """Whether a second method finds the same F0, or none either."""
    rings: bool = False
    """Whether the event before still sounds in it: then its pitch is the one of `notes` that is new."""
    notes: tuple[float, ...] = ()
    """Fundamentals that sound at once, Hz, error 2 %, lowest first; empty unless there are two or more."""

    peaks: tuple[float, ...] = ()
    """Hz of what stands out from the spectrum of a steady sound: of one tone its partials."""
    held: int = 0
    """How many of `peaks` sound on from one part of it to the next; all of them where it is too short to tell."""

    @property
    def one_tone(self) -> bool:
        """Whether it is clearly a single tone."""
        clear = self.pitch is not None and self.pitch_sure and self.harmonicity >= CLEAR
        return clear and (not self.notes or self.rings)

    @property
    def duration(self) -> float:
        """Seconds; error 30 ms."""
        return self.end - self.start


def in_parallel(notes: tuple[float, ...], others: tuple[float, ...]) -> bool:
    """Whether `notes` are as many, and as far from one another, as `others`: such sounds move as one note does."""
    if not notes or len(notes) != len(others):
        return False
    return bool(np.allclose(np.array(notes) / notes[0], np.array(others) / others[0], rtol=PARALLEL, atol=0))


@dataclass(frozen=True)
class Rhythm:
    """Timing of at least three events."""

    gaps: tuple[float, ...]
    """Seconds from each onset to the next; error 15 ms."""
    variation: float
    """Standard deviation of the gaps over their mean."""
    change: float
    """log2 of the last gap over the first, by a straight line through the log-gaps: below 0 it speeds up."""
    scatter: float
    """Standard deviation of the log2-gaps around that line, octaves."""

    @property
    def mean_gap(self) -> float:
        """Seconds."""
        return sum(self.gaps) / len(self.gaps)


@dataclass(frozen=True)
class Repetition:
    """A pattern of events that comes again and again."""

    times: int
    """How often the whole pattern is heard, at least 2."""
    seconds: float
    """From one beginning of the pattern to the next; error 20 ms."""
    events: int
    """Events of the pattern."""


@dataclass(frozen=True)
class Syllables:
    """Syllable nuclei. Beeps are counted too: whether a clip is speech is not decided here."""

    count: int
    """At least 4; error 15 %."""
    rate: float
    """A second, from the first to the last, pauses included; error 15 % up to 5 a second, of faster speech it is
    too low: vowels run together."""


@dataclass(frozen=True, eq=False)
class Balance:
    """Level of the right channel over the left one, dB: above 0 the sound is on the right. Error 0.5 dB."""

    whole: float
    """Of the clip."""
    start: float
    """Of its first third, quiet blocks left out."""
    end: float
    """Of its last third."""
    over_time: Contour
    """Of each block; NaN in quiet ones."""


@dataclass(frozen=True, eq=False)
class Beat:
    """How the flux of a clip comes again."""

    bpm: float
    """Beats a minute; half and double are heard as well. Error 1 %."""
    strength: float
    """Mean autocorrelation of the flux after one, two and four beats."""
    pulse: float
    """That after one beat: none where a figure of uneven gaps comes again."""
    bar: float
    """The highest of the three."""
    rival: float
    """How near the next best tempo comes to it, 0 to 1; half, double and their like are no rivals."""
    repeats: Contour
    """Strength by period, seconds."""

    @property
    def steady(self) -> bool:
        """Whether there is no doubt of a beat."""
        clear = self.strength >= STEADY and self.pulse >= PULSE
        return clear or (self.strength >= SOME and self.bar >= SAME_BAR)

    @property
    def told(self) -> bool:
        """Whether there is no doubt of its tempo."""
        return (self.steady or (self.strength >= SOME and self.bar >= LIKE_BAR)) and self.rival < RIVAL

    def strength_at(self, bpm: float) -> float:
        """The strength of the period of `bpm`, within 2.5 %; 0 where it is not looked at."""
        near = np.abs(self.repeats.times * bpm / 60 - 1) <= 0.025
        return float(self.repeats.values[near].max()) if near.any() else 0.0


@dataclass(frozen=True)
class Reverberation:
    """What is known of the room around the sounds."""

    seconds: float | None
    """Time in which tails fall by 60 dB (RT60), error 20 % from 0.3 to 2.5 s; None where no tail tells it."""
    fastest: float | None
    """Seconds for 60 dB at the rate of the fastest fall by 25 dB; the room's time is not above it but for what
    is more than 15 dB below the sounds. None where nothing falls so far."""


@dataclass(frozen=True)
class Measurement:
    """All that is known of one clip."""

    duration: float
    """Seconds."""
    peak: float
    """Largest sample, dBFS."""
    background: float
    """Level of the quietest tenth, dBFS: the noise between the events."""
    events: tuple[Event, ...]
    """In order of onset."""
    rhythm: Rhythm | None
    """None for fewer than three events."""
    level: Contour
    """RMS level, dBFS."""
    pitch: Contour
    """F0, Hz; NaN where there is none."""
    centroid: Contour
    """Spectral centroid, Hz, error 10 %; NaN where the clip is no louder than its background."""
    repetition: Repetition | bool = False
    """The pattern that repeats; False where none does, True where some of it does and it cannot be told."""
    loudness: float | None = None
    """Integrated loudness, LUFS, error 0.5 LU; None for clips below 0.4 s and for silence."""
    syllables: Syllables | None = None
    """None for fewer than four nuclei."""
    doubtful: tuple[float, ...] = ()
    """Seconds at which more sounds may begin: rises of the spectrum and steps of F0 inside the events, faint ones."""
    beat: Beat | None = None
    """None for clips below 4 s."""
    balance: Balance | None = None
    """None unless the file has two channels."""
    reverberation: Reverberation = Reverberation(None, None)
    """The room around the events."""

    most: int = 0
    """Most sounds that there may be, the doubtful ones and whatever else rises a little among them."""

    heard: Heard = field(default_factory=Heard, compare=False, repr=False)
    """What recognisers make of the clip."""

    @property
    def unsure(self) -> int:
        """How many of the events may be none."""
        return sum(not event.sure for event in self.events)

    @property
    def pauses(self) -> list[float]:
        """Seconds of silence between one event and the next, in order; error 30 ms."""
        return [b.start - a.end for a, b in pairwise(self.events)]
