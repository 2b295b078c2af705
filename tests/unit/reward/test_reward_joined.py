"""Two clips joined by silence: which of them a count or a density is of, on clicks whose places are known."""

from __future__ import annotations

import numpy as np
import pytest

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.families.joined import joined
from reward.grounding import check_claims
from reward.measure import measure

RATE = 16_000
PAIR = "Two clips are joined by silence. Which clip has more sounds, the first or the second?"
YES, NO, OPEN = (
    trajectory_pb2.VERDICT_SUPPORTED,
    trajectory_pb2.VERDICT_CONTRADICTED,
    trajectory_pb2.VERDICT_NOT_CHECKABLE,
)


def beeps(starts: list[float], seconds: float) -> np.ndarray:
    """Tones of 0.1 s at `starts`, in faint noise."""
    samples = 1e-4 * np.random.default_rng(0).standard_normal(int(seconds * RATE))
    times = np.arange(int(0.1 * RATE)) / RATE
    for start in starts:
        at = int(start * RATE)
        samples[at : at + len(times)] += 0.2 * np.sin(2 * np.pi * 600 * times) * np.hanning(len(times))
    return samples.astype(np.float32)


TWO_AND_FOUR = measure(beeps([0.2, 0.6, 2.0, 2.3, 2.6, 2.9], 3.5))
EVEN = measure(beeps([0.2, 0.7, 1.2, 1.7], 2.2))


@pytest.mark.parametrize(
    ("sentence", "verdict"),
    [
        ("The first clip has two beeps.", YES),
        ("The first clip has four beeps.", NO),
        ("The second clip has four beeps.", YES),
        ("The second clip has more beeps.", YES),
        ("The first clip has more beeps.", NO),
        ("The second clip has fewer beeps.", NO),
        ("The first clip is denser.", NO),
        ("The second clip is a row of fast beeps.", OPEN),
    ],
)
def test_counts_are_of_the_clip_that_is_named(sentence, verdict):
    (claim,) = check_claims(sentence, trajectory_pb2.Prompt(question=PAIR), TWO_AND_FOUR).claims
    assert claim.verdict == verdict, claim


def test_where_no_silence_is_the_longest_it_is_not_known_which_sounds_are_of_which_clip():
    assert joined(EVEN, 1) is None
    (claim,) = check_claims("The first clip has two beeps.", trajectory_pb2.Prompt(question=PAIR), EVEN).claims
    assert claim.verdict == OPEN
    first, second = joined(TWO_AND_FOUR, 1), joined(TWO_AND_FOUR, 2)
    assert first is not None and second is not None and first.end == second.start
    assert joined(TWO_AND_FOUR, 3) is None
