"""Claims about several clips are checked on the clip that they name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from earwitness.audio import SAMPLE_RATE
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.grounding import check_claims
from reward.measure import Measurement, measure
from reward.parse.extract import read_trace
from reward.several import check_among
from reward.statements import Comparison, Count, Not, Quantity, Relation, Value

PROMPT = trajectory_pb2.Prompt(
    question="A: B: Which of them is higher?",
    clips=[trajectory_pb2.PlacedClip(audio_uri="a.wav", at=3), trajectory_pb2.PlacedClip(audio_uri="b.wav", at=6)],
)
WORDS = {
    trajectory_pb2.VERDICT_SUPPORTED: "supported",
    trajectory_pb2.VERDICT_CONTRADICTED: "contradicted",
    trajectory_pb2.VERDICT_NOT_CHECKABLE: "open",
}


def tones(hertz: float, count: int, level: float = 0.3, seconds: float = 0.3) -> np.ndarray:
    """`count` tones with a silence of 0.2 s around each."""
    times = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    ramp = np.minimum(1, np.minimum(times, times[::-1]) / 0.01)
    quiet = np.zeros(int(0.2 * SAMPLE_RATE))
    tone = level * ramp * np.sin(2 * np.pi * hertz * times)
    return np.concatenate([quiet, *[tone, quiet] * count]).astype(np.float32)


@pytest.fixture(scope="module")
def clips() -> list[Measurement]:
    return [measure(tones(300.0, 3)), measure(tones(600.0, 2, level=0.1)), measure(tones(450.0, 1, seconds=3.0))]


@pytest.mark.parametrize(
    ("said", "verdicts"),
    [
        ("Clip A is near 300 Hz.", ["supported"]),
        ("Clip B is near 300 Hz.", ["contradicted"]),
        ("Clip A has three beeps, and clip B has two beeps.", ["supported", "supported"]),
        ("Clip A has two beeps.", ["contradicted"]),
        ("The second recording is higher.", ["supported"]),
        ("The first recording is louder than the second.", ["supported"]),
        ("The second clip is louder than the first.", ["contradicted"]),
        ("The second recording has fewer beeps than the first.", ["supported"]),
        ("Recording 1 is longer.", ["supported"]),
        ("It is near 300 Hz.", ["open"]),  # which one?
        ("In clip A the second beep starts at 0.7 s.", ["open"]),  # the second of the first
        ("The pitch of clip B is 600 Hz. The first beep starts at 0.2 s.", ["supported", "open"]),
    ],
)
def test_a_claim_is_checked_on_its_clip(clips: Sequence[Measurement], said: str, verdicts: list[str]) -> None:
    found = check_claims(said, PROMPT, clips[:2])
    assert [WORDS[claim.verdict] for claim in found.claims] == verdicts


def test_the_same_number_of_two_clips_is_two_claims() -> None:
    twins = [measure(tones(300.0, 1))] * 2
    assert check_claims("Clip A is near 300 Hz. Clip B is near 300 Hz.", PROMPT, twins).supported == 2


def test_a_pitch_above_the_range_of_f0_is_compared(clips: Sequence[Measurement]) -> None:
    alarm = measure(tones(3_100.0, 3))
    assert alarm.events[0].pitch == pytest.approx(3_100, rel=0.01) and not np.isfinite(alarm.pitch.values).any()
    lower, higher = (Comparison(Quantity.PITCH, part, other, Relation.LESS) for part, other in ((2, 1), (1, 2)))
    assert check_among(lower, [alarm, clips[0]]).holds is True
    assert check_among(higher, [alarm, clips[0]]).holds is False


def test_one_of_three_is_compared_with_each_other(clips: Sequence[Measurement]) -> None:
    highest = Comparison(Quantity.PITCH, 2, None, Relation.MORE)
    assert check_among(highest, clips).holds is True
    assert check_among(Comparison(Quantity.PITCH, 3, None, Relation.MORE), clips).holds is False
    assert check_among(Comparison(Quantity.DURATION, 3, None, Relation.MORE), clips).holds is True
    assert check_among(Value(Quantity.PITCH, 3, 450.0), clips).holds is True
    assert check_among(Value(Quantity.DURATION, 3, 3.4), clips).holds is True  # the recording, silence and all
    assert check_among(Value(Quantity.DURATION, 3, 3.0), clips).holds is True  # what sounds in it
    for seconds, holds in ((3.4, False), (3.0, False), (2.0, True)):
        assert check_among(Not(Value(Quantity.DURATION, 3, seconds)), clips).holds is holds
    assert check_among(Count(1, part=4), clips).holds is False


def test_what_is_guessed_earns_nothing_on_average(clips: Sequence[Measurement]) -> None:
    """Of the two ways in which clips can be ordered one is right: half is chance."""
    for way in (Relation.MORE, Relation.LESS):
        assert check_among(Comparison(Quantity.LEVEL, 1, 2, way), clips).chance == 0.5


def test_a_third_clip_is_read_by_its_name() -> None:
    read = read_trace("The third recording is near 450 Hz. Clip C is noisy.", PROMPT)
    assert [getattr(claim.statement, "part", None) for claim in read.claims] == [3, 3]
