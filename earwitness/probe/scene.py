"""What a kind of question is made of: the ladders of its values, a clip with its account, and how sounds are placed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from earwitness.probe.removal import Property
from earwitness.probe.sound import Rng, Wave, at_onsets, tone

PITCH_LADDER = (200, 250, 310, 390, 490, 610, 760, 950)
"""Hz; neighbours are about four semitones apart."""
DURATION_LADDER = (0.15, 0.25, 0.4, 0.6)
"""Seconds; each about 1.6 times the one before."""
LEVEL_LADDER = (-16, -21, -26, -31, -36, -41)
"""dBFS; two neighbours differ by well more than the 1 dB at which a difference is just heard."""
LEVEL_SPREAD = 0.4
"""Largest distance of a sounding level from its rung, dB: a measurement adds its own error to it."""
GAP_LADDER = (0.12, 0.16, 0.22, 0.3)
"""Seconds from onset to onset."""
ORDINALS = ("first", "second", "third", "fourth")
"""Names of sounds by their place."""
DETUNE = 0.015
"""Largest relative distance of a sounding pitch from its rung."""


@dataclass(frozen=True)
class Recording:
    """A second clip before it is placed in a room of its own."""

    wave: Wave
    level: float | None = None
    """As `Scene.level`."""


@dataclass(frozen=True)
class Scene:
    """A clip before it is placed in a room, and a true account of it."""

    wave: Wave
    account: str
    """Sentence without the conclusion: only what can be measured."""
    conclusion: str
    """What follows for the question."""
    facts: dict[str, float | int | str] = field(default_factory=dict)
    level: float | None = None
    """dBFS of what has an amplitude of 1 (RMS), where the account says so; None: any."""
    second: Recording | None = None
    """What is heard after it, where two recordings are compared."""


@dataclass(frozen=True)
class Kind:
    """One kind of question."""

    name: str
    questions: tuple[str, ...]
    answers: tuple[str, ...]
    make: Callable[[Rng, str], Scene]
    decisive: Property = "pitch"
    """What of the sound the answer depends on."""


def start_time(rng: Rng) -> float:
    """Seconds before the first event."""
    return float(rng.uniform(0.04, 0.16))


def near(rng: Rng, value: float, spread: float = DETUNE) -> float:
    """A value within `spread` of a rung."""
    return float(value * rng.uniform(1.0 - spread, 1.0 + spread))


def two_rungs(rng: Rng, ladder: tuple[float, ...], least_steps: int = 1) -> tuple[float, float]:
    """A lower and a higher rung, at least `least_steps` apart."""
    low = int(rng.integers(0, len(ladder) - least_steps))
    high = int(rng.integers(low + least_steps, len(ladder)))
    return ladder[low], ladder[high]


def lead(rng: Rng, wave: Wave) -> Wave:
    """One event after a little silence and before some more."""
    return at_onsets([start_time(rng)], [wave], tail=rng.uniform(0.05, 0.3))


def pair(rng: Rng, first: Wave, second: Wave) -> Wave:
    """Two events with a pause between them."""
    begin = start_time(rng)
    onset = begin + len(first) / 16000 + rng.uniform(0.12, 0.25)
    return at_onsets([begin, onset], [first, second], tail=rng.uniform(0.05, 0.2))


def pulses(rng: Rng, gaps: np.ndarray) -> Wave:
    """Short beeps with the given seconds from onset to onset."""
    hz = near(rng, float(rng.choice(PITCH_LADDER)))
    onsets = list(start_time(rng) + np.concatenate([[0.0], np.cumsum(gaps)]))
    return at_onsets(onsets, [tone(0.05, hz) for _ in onsets], tail=rng.uniform(0.05, 0.2))
