"""Kinds of question that one glance does not answer: several sounds are heard, then compared or counted."""

from __future__ import annotations

import numpy as np

from earwitness.probe.scene import (
    DURATION_LADDER,
    ORDINALS,
    PITCH_LADDER,
    Kind,
    Scene,
    near,
    start_time,
)
from earwitness.probe.sound import Rng, Wave, at_onsets, gain, tone

PAUSE = (0.42, 0.55)
"""Seconds of silence that part two groups: well above the gaps within one."""
REST = (0.12, 0.18)
"""Seconds of silence between the tones of a row."""
QUIET_DB = 15
"""How far below the loud beeps the quiet ones lie, dB."""


def highest_of_three(rng: Rng, answer: str) -> Scene:
    """Three tones of different pitch."""
    pitches = rng.choice(PITCH_LADDER, 3, replace=False).tolist()
    swap(pitches, ORDINALS.index(answer), int(np.argmax(pitches)))
    wave = row(rng, [tone(rng.uniform(0.18, 0.28), near(rng, hz)) for hz in pitches])
    return Scene(wave, pitches_of("tone", pitches), f"the {answer} is highest", numbered(pitches, "hz"))


def longest_of_three(rng: Rng, answer: str) -> Scene:
    """Three tones of different length."""
    lengths = rng.choice(DURATION_LADDER, 3, replace=False).tolist()
    swap(lengths, ORDINALS.index(answer), int(np.argmax(lengths)))
    hz = near(rng, float(rng.choice(PITCH_LADDER)))
    wave = row(rng, [tone(near(rng, seconds, 0.03), hz) for seconds in lengths])
    first, second, third = (f"{seconds:.2f} s" for seconds in lengths)
    account = f"The first tone lasts about {first}, the second about {second} and the third about {third}"
    return Scene(wave, account, f"the {answer} is longest", numbered(lengths, "s"))


def higher_than_first(rng: Rng, answer: str) -> Scene:
    """Four tones, some of which are higher than the first."""
    above = int(answer)
    first = int(rng.integers(1 if above < 3 else 0, len(PITCH_LADDER) - (above > 0)))
    higher = rng.choice(PITCH_LADDER[first + 1 :], above).tolist() if above else []
    lower = rng.choice(PITCH_LADDER[:first], 3 - above).tolist() if above < 3 else []
    pitches = [PITCH_LADDER[first], *rng.permutation(higher + lower).tolist()]
    wave = row(rng, [tone(rng.uniform(0.16, 0.22), near(rng, hz)) for hz in pitches])
    return Scene(wave, pitches_of("tone", pitches), f"the answer is {above}", numbered(pitches, "hz"))


def repetition(rng: Rng, answer: str) -> Scene:
    """Two tones, a pause, and the same two or two of which one is another."""
    first = rng.choice(PITCH_LADDER, 2, replace=False).tolist()
    second = list(first)
    if answer == "no":
        place = int(rng.integers(2))
        second[place] = float(rng.choice([hz for hz in PITCH_LADDER if hz not in first]))
    events = [tone(rng.uniform(0.16, 0.22), near(rng, hz)) for hz in first + second]
    wave = row(rng, events, pause_before=2)
    conclusion = "both halves are alike" if answer == "yes" else "the halves differ"
    return Scene(wave, pitches_of("tone", first + second), conclusion, numbered(first + second, "hz"))


def more_before_pause(rng: Rng, answer: str) -> Scene:
    """One to four beeps, a pause, and one to four beeps."""
    fewer, more = sorted(rng.choice(np.arange(1, 5), 2, replace=False).tolist())
    same = int(rng.integers(1, 5))
    before, after = {"before": (more, fewer), "after": (fewer, more), "equal": (same, same)}[answer]
    return parted(rng, before, after, "both are equal" if answer == "equal" else f"there are more {answer} it")


def loud_count(rng: Rng, answer: str) -> Scene:
    """Three to five beeps, some loud and some quiet."""
    loud = int(answer)
    beeps = int(rng.integers(max(3, loud + 1), 6))
    hz = near(rng, float(rng.choice(PITCH_LADDER)))
    is_quiet = rng.permutation([False] * loud + [True] * (beeps - loud))
    levels = (-near(rng, QUIET_DB, 0.05) if quiet else 0.0 for quiet in is_quiet)
    events = [gain(db) * tone(rng.uniform(0.08, 0.12), hz) for db in levels]
    account = f"I hear {beeps} beeps, {loud} of which stand out"
    return Scene(row(rng, events), account, f"the answer is {loud}", {"count": beeps, "loud": loud})


def parted(rng: Rng, before: int, after: int, conclusion: str) -> Scene:
    """So many beeps before and after a pause."""
    hz = near(rng, float(rng.choice(PITCH_LADDER)))
    wave = row(rng, [tone(rng.uniform(0.06, 0.09), hz) for _ in range(before + after)], pause_before=before)
    account = f"I hear {before + after} beeps, {before} before the pause and {after} after it"
    return Scene(wave, account, conclusion, {"before": before, "after": after})


def row(rng: Rng, events: list[Wave], pause_before: int | None = None) -> Wave:
    """Events one after another with short rests; the one of number `pause_before` comes after a pause."""
    onsets = [start_time(rng)]
    for number, event in enumerate(events[:-1], start=1):
        rest = rng.uniform(*(PAUSE if number == pause_before else REST))
        onsets.append(onsets[-1] + len(event) / 16000 + rest)
    return at_onsets(onsets, events, tail=rng.uniform(0.05, 0.2))


def pitches_of(what: str, pitches: list[float]) -> str:
    """`The first tone is near 200 Hz, the second near 310 Hz and the third near 250 Hz`."""
    said = [f"the {ORDINALS[i]} is near {hz:g} Hz" for i, hz in enumerate(pitches)]
    said[0] = f"The {ORDINALS[0]} {what} is near {pitches[0]:g} Hz"
    return f"{', '.join(said[:-1])} and {said[-1]}"


def numbered(values: list[float], unit: str) -> dict[str, float | int | str]:
    """`first_hz` and so on."""
    return {f"{ORDINALS[i]}_{unit}": value for i, value in enumerate(values)}


def swap(values: list[float], one: int, other: int) -> None:
    """Exchanges two places."""
    values[one], values[other] = values[other], values[one]


COMPOUND_KINDS: tuple[Kind, ...] = (
    Kind(
        "highest_of_three",
        ("Which of the three tones is the highest?", "Of the three tones, which has the highest pitch?"),
        ORDINALS[:3],
        highest_of_three,
    ),
    Kind(
        "longest_of_three",
        ("Which of the three tones is the longest?", "Of the three tones, which lasts longest?"),
        ORDINALS[:3],
        longest_of_three,
        "time",
    ),
    Kind(
        "higher_than_first",
        ("How many tones are higher than the first?", "Of the later tones, how many are higher than the first one?"),
        ("0", "1", "2", "3"),
        higher_than_first,
    ),
    Kind(
        "repetition",
        ("Does the second half repeat the first?", "Is the second pair of tones the same as the first?"),
        ("yes", "no"),
        repetition,
    ),
    Kind(
        "more_before_pause",
        ("Are there more beeps before the pause or after it?", "Where are more beeps, before the pause or after it?"),
        ("before", "after", "equal"),
        more_before_pause,
        "time",
    ),
    Kind(
        "loud_count",
        ("How many of the beeps are loud?", "How many beeps are there if only the loud ones count?"),
        ("1", "2", "3"),
        loud_count,
        "level",
    ),
)
