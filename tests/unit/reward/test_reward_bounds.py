"""Bounds: "longer than 2.4 s", "at least three": read, checked, and worth what they say of this clip."""

from __future__ import annotations

import numpy as np
import pytest

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.grounding import check_claims
from reward.measure import Measurement, measure
from reward.parse import extract_claims, read_trace
from reward.statements import Bound, Comparison, Not, Quantity, Relation, Value
from reward.verify import check

Q, INF = Quantity, float("inf")
VERDICTS = {
    True: trajectory_pb2.VERDICT_SUPPORTED,
    False: trajectory_pb2.VERDICT_CONTRADICTED,
    None: trajectory_pb2.VERDICT_NOT_CHECKABLE,
}


@pytest.fixture(scope="module")
def two_tones(clips) -> Measurement:
    """440 Hz for 0.3 s at -20 dBFS, then 620 Hz for 0.9 s at -12 dBFS, in 1.8 s."""
    parts = [(0.1, clips.tone(440, 0.3), -20.0), (0.6, clips.tone(620, 0.9), -12.0)]
    return measure(clips.mix(parts, 1.8, 35.0, np.random.default_rng(3)))


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("The sound is longer than 2.4 s.", Bound(Q.DURATION, None, 2.4, INF)),
        ("It lasts less than a second.", Bound(Q.DURATION, None, -INF, 1.0)),
        ("The clip is shorter than 5 seconds.", Bound(Q.CLIP, None, -INF, 5.0)),
        ("The clip lasts at most 3 seconds.", Bound(Q.CLIP, None, -INF, 3.0)),
        ("The pitch stays above 400 Hz.", Bound(Q.PITCH, None, 400.0, INF)),
        ("The second tone is longer than 0.5 s.", Bound(Q.DURATION, 2, 0.5, INF)),
        ("The level is well below -30 dB.", Bound(Q.LEVEL, None, -INF, -30.0)),
        ("The tempo is over 120 BPM.", Bound(Q.TEMPO, None, 120.0, INF)),
        ("It is faster than 120 BPM.", Bound(Q.TEMPO, None, 120.0, INF)),
        ("There are at least three beeps.", Bound(Q.NUMBER, None, 3.0, INF)),
        ("I hear more than five clicks.", Bound(Q.NUMBER, None, 6.0, INF)),
        ("There are fewer than four tones.", Bound(Q.NUMBER, None, -INF, 3.0)),
        ("There are between three and five beeps.", Bound(Q.NUMBER, None, 3.0, 5.0)),
        ("I hear two to four clicks.", Bound(Q.NUMBER, None, 2.0, 4.0)),
        ("The clip is between 2 and 3 seconds long.", Bound(Q.CLIP, None, 2.0, 3.0)),
        ("It lasts two to three seconds.", Bound(Q.DURATION, None, 2.0, 3.0)),
        ("It lasts 2.3 to 2.4 seconds.", Value(Q.DURATION, None, pytest.approx(2.35))),
        ("The second is not as bright as the first.", Comparison(Q.CENTROID, 2, 1, Relation.LESS)),
        ("The second is as bright as the first.", Comparison(Q.CENTROID, 2, 1, Relation.SAME)),
        ("The sound is not longer than 2.4 s.", Bound(Q.DURATION, None, -INF, 2.4)),
        ("There aren't at least three beeps.", Bound(Q.NUMBER, None, -INF, 2.0)),
    ],
)
def test_read(text, bound):
    (claim,) = read_trace(text, trajectory_pb2.Prompt()).claims
    assert claim.statement == bound


@pytest.mark.parametrize(
    "text",
    ["There is energy above 4 kHz.", "People hear sounds above 20 Hz.", "Frequencies above 500 Hz are missing."],
)
def test_what_is_not_said_of_the_sound_bounds_nothing(text):
    assert not [c for c in read_trace(text, trajectory_pb2.Prompt()).claims if isinstance(c.statement, Bound)]


def test_the_limit_of_the_question_is_the_answer_and_no_claim():
    prompt = trajectory_pb2.Prompt(question="Is the sound longer than 2.4 seconds?")
    assert extract_claims("The sound is longer than 2.4 s.", prompt) == []
    assert len(extract_claims("The sound is longer than 3 s.", prompt)) == 1


@pytest.mark.parametrize("bound", [Bound(Q.NUMBER, None, 3.0, INF), Bound(Q.DURATION, 1, -INF, 2.0)])
def test_the_opposite_of_the_opposite_is_the_same(bound):
    assert bound.opposite.opposite == bound != bound.opposite


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("The first tone is shorter than 0.6 s.", True),
        ("The first tone is longer than 0.6 s.", False),
        ("The first tone is longer than 0.3 s.", None),  # too near to tell
        ("The second tone is longer than 0.6 s.", True),
        ("The clip is longer than 1 s.", True),
        ("The clip is longer than 3 s.", False),
        ("The pitch stays above 300 Hz.", True),
        ("The pitch is below 300 Hz.", False),
        ("The pitch is above 500 Hz.", True),  # of the one with most of the energy
        ("There are at least two tones.", True),
        ("There are more than two tones.", False),
        ("There are fewer than five tones.", True),
        ("There are between two and four tones.", True),
        ("There are between three and five tones.", False),
        ("The second tone lasts 0.5 to 1.5 seconds.", True),
        ("The second tone lasts two to three seconds.", False),
        ("The third tone is longer than 0.5 s.", False),
    ],
)
def test_verdicts(two_tones, text, holds):
    (claim,) = check_claims(text, trajectory_pb2.Prompt(), two_tones).claims
    assert claim.verdict == VERDICTS[holds]


def test_what_every_recording_has_earns_next_to_nothing(two_tones):
    text = "There is at least one sound. The sound is longer than 0.05 s. The level is above -50 dB."
    grounding = check_claims(text, trajectory_pb2.Prompt(), two_tones)
    assert (grounding.supported, grounding.contradicted) == (3, 0)
    assert grounding.earned < 0.05


@pytest.mark.parametrize("edge", [0.05, 0.2, 0.45, 0.7, 1.5, 6.0])
def test_a_bound_and_its_opposite_never_both_hold(two_tones, edge):
    bound = Bound(Q.DURATION, 1, edge, INF)
    one, other = check(bound, two_tones), check(bound.opposite, two_tones)
    assert (one.holds, other.holds) in ((True, False), (False, True), (None, None))
    assert not isinstance(bound, Not) and 0.5 <= one.chance <= 1
