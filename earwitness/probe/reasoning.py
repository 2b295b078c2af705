"""Kinds of question whose answer is worked out from what is heard: differences, sums, orders, the odd one out.

Their accounts go event by event, so that a trace can be cut to its conclusion (see `stepwise_share`).
"""

from __future__ import annotations

from itertools import permutations

import numpy as np

from earwitness.probe.compound import numbered, parted, pitches_of, row
from earwitness.probe.scene import ORDINALS, PITCH_LADDER, Kind, Scene, near
from earwitness.probe.sound import Rng, tone

ORDERS = tuple(", ".join(order) for order in permutations(ORDINALS[:3]))
"""From the lowest to the highest of three."""


def more_than_after(rng: Rng, answer: str) -> Scene:
    """One to three beeps after a pause, and so many more before it."""
    after = int(rng.integers(1, 4))
    return parted(rng, after + int(answer), after, f"there are {answer} more before it")


def weighted_sum(rng: Rng, answer: str) -> Scene:
    """Beeps before and after a pause, of which the later ones count twice."""
    after = int(rng.choice([n for n in (1, 2, 3) if 1 <= int(answer) - 2 * n <= 4]))
    return parted(rng, int(answer) - 2 * after, after, f"the sum is {answer}")


def odd_one_out(rng: Rng, answer: str) -> Scene:
    """Three tones, two of which are alike."""
    odd, alike = rng.choice(PITCH_LADDER, 2, replace=False).tolist()
    pitches = [odd if ordinal == answer else alike for ordinal in ORDINALS[:3]]
    wave = row(rng, [tone(rng.uniform(0.18, 0.28), near(rng, hz)) for hz in pitches])
    return Scene(wave, pitches_of("tone", pitches), f"the {answer} is the odd one", numbered(pitches, "hz"))


def pitch_order(rng: Rng, answer: str) -> Scene:
    """Three tones of different pitch."""
    rungs = np.sort(rng.choice(PITCH_LADDER, 3, replace=False)).tolist()
    places = [answer.split(", ").index(ordinal) for ordinal in ORDINALS[:3]]
    pitches = [rungs[place] for place in places]
    wave = row(rng, [tone(rng.uniform(0.18, 0.28), near(rng, hz)) for hz in pitches])
    return Scene(wave, pitches_of("tone", pitches), f"the order is {answer}", numbered(pitches, "hz"))


REASONING_KINDS: tuple[Kind, ...] = (
    Kind(
        "more_than_after",
        ("How many more beeps are there before the pause than after it?",),
        ("0", "1", "2", "3"),
        more_than_after,
        "time",
    ),
    Kind(
        "weighted_sum",
        ("If the beeps after the pause count twice, what is the sum?",),
        ("5", "6", "7", "8"),
        weighted_sum,
        "time",
    ),
    Kind(
        "odd_one_out",
        ("Which of the three tones is unlike the other two?", "Of the three tones, which is the odd one?"),
        ORDINALS[:3],
        odd_one_out,
    ),
    Kind("pitch_order", ("What is the order of the three tones, from low to high?",), ORDERS, pitch_order),
)
