"""Kinds of question about two recordings: each is heard by itself, then they are compared.

In each there is one tone, so that only the other recording says which way the answer goes.
"""

from __future__ import annotations

from earwitness.probe.scene import (
    DURATION_LADDER,
    LEVEL_LADDER,
    LEVEL_SPREAD,
    PITCH_LADDER,
    Kind,
    Recording,
    Scene,
    lead,
    near,
    two_rungs,
)
from earwitness.probe.sound import Rng, tone

WHICH = ("first", "second")
LOUDEST, STEPS = 3, 4
"""The louder one is of the first three rungs, the quieter one to three below."""


def recording_higher(rng: Rng, answer: str) -> Scene:
    """Tones of different pitch."""
    first, second = _placed(answer, *two_rungs(rng, PITCH_LADDER))
    waves = [lead(rng, tone(rng.uniform(0.22, 0.5), near(rng, hz))) for hz in (first, second)]
    account = f"The first recording is near {first:g} Hz and the second is near {second:g} Hz"
    facts: dict[str, float | int | str] = {"first_hz": first, "second_hz": second}
    return Scene(waves[0], account, f"the {answer} is higher", facts, second=Recording(waves[1]))


def recording_longer(rng: Rng, answer: str) -> Scene:
    """Tones of different length."""
    first, second = _placed(answer, *two_rungs(rng, DURATION_LADDER))
    pitches = [float(rng.choice(PITCH_LADDER)) for _ in WHICH]
    waves = [
        lead(rng, tone(near(rng, seconds, 0.03), near(rng, hz)))
        for seconds, hz in zip((first, second), pitches, strict=True)
    ]
    account = f"In the first recording the tone lasts about {first:.2f} s and in the second about {second:.2f} s"
    facts: dict[str, float | int | str] = {"first_s": first, "second_s": second, "first_hz": pitches[0]}
    return Scene(waves[0], account, f"the {answer} is longer", facts, second=Recording(waves[1]))


def recording_louder(rng: Rng, answer: str) -> Scene:
    """Tones of different level."""
    loud = int(rng.integers(0, LOUDEST))
    quiet = loud + int(rng.integers(1, STEPS))
    first, second = _placed(answer, LEVEL_LADDER[quiet], LEVEL_LADDER[loud])
    levels = [db + rng.uniform(-LEVEL_SPREAD, LEVEL_SPREAD) for db in (first, second)]
    waves = [lead(rng, tone(rng.uniform(0.22, 0.5), near(rng, float(rng.choice(PITCH_LADDER))))) for _ in WHICH]
    account = f"The first recording is near {first} dB and the second is near {second} dB"
    facts: dict[str, float | int | str] = {"first_db": first, "second_db": second}
    return Scene(waves[0], account, f"the {answer} is louder", facts, levels[0], Recording(waves[1], levels[1]))


def _placed(answer: str, less: float, more: float) -> tuple[float, float]:
    """What the first has and what the second has, if `answer` has more."""
    return (more, less) if answer == WHICH[0] else (less, more)


RECORDING_KINDS: tuple[Kind, ...] = (
    Kind(
        "recording_higher",
        ("In which recording is the tone higher?", "Which of the two recordings has the higher tone?"),
        WHICH,
        recording_higher,
    ),
    Kind(
        "recording_longer",
        ("In which recording is the tone longer?", "In which of the two recordings does the tone last longer?"),
        WHICH,
        recording_longer,
        "time",
    ),
    Kind(
        "recording_louder",
        ("In which recording is the tone louder?", "Which of the two recordings has the louder tone?"),
        WHICH,
        recording_louder,
        "level",
    ),
)
