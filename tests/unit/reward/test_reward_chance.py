"""Numbers need ears: what a blind guess would earn, a claim does not earn."""

from __future__ import annotations

import numpy as np
import pytest

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.alternatives import alternatives
from reward.families import NUMBERS
from reward.grounding import check_claims
from reward.measure import Measurement, measure
from reward.statements import Change, Comparison, Count, Not, Quantity, Regular, Relation, Timbre, Value
from reward.verify import check

SUPPORTED, NOT_CHECKABLE = trajectory_pb2.VERDICT_SUPPORTED, trajectory_pb2.VERDICT_NOT_CHECKABLE
Q = Quantity
DRAWS = 400
SAID = {
    Q.PITCH: np.linspace(80, 1_000, DRAWS),
    Q.CENTROID: np.geomspace(300, 6_000, DRAWS),
    Q.LEVEL: np.linspace(-50, 0, DRAWS),
    Q.DURATION: np.geomspace(0.02, 20, DRAWS),
    Q.PAUSE: np.geomspace(0.02, 20, DRAWS),
    Q.GAP: np.geomspace(0.02, 20, DRAWS),
    Q.TEMPO: np.linspace(60, 180, DRAWS),
}


@pytest.fixture(scope="module")
def melody(clips) -> Measurement:
    """Twelve tones of other pitches, levels and lengths, 4 s: something of every value is somewhere."""
    rng = np.random.default_rng(2)
    parts, now = [], 0.1
    for hertz in rng.permutation(np.geomspace(110, 880, 12)):
        seconds = float(rng.uniform(0.12, 0.3))
        parts.append((now, clips.tone(float(hertz), seconds), float(rng.uniform(-30, -14))))
        now += seconds + float(rng.uniform(0.05, 0.2))
    measured = measure(clips.mix(parts, now + 0.1, 35.0, rng))
    assert len(measured.events) == 12
    return measured


def found(text: str, measured: Measurement):
    return check_claims(text, trajectory_pb2.Prompt(), measured)


@pytest.mark.parametrize("quantity", [*SAID, Q.ONSET, Q.OFFSET])
def test_of_random_values_at_most_a_twentieth_is_supported(melody, quantity):
    said = SAID.get(quantity, np.linspace(0, melody.duration, DRAWS))
    holds = [check(Value(quantity, None, float(value)), melody).holds for value in said]
    assert np.mean([held is True for held in holds]) <= 0.065  # a twentieth, and the grain of the grid


@pytest.mark.parametrize("quantity", [Q.PITCH, Q.ONSET, Q.CENTROID, Q.LEVEL, Q.DURATION])
def test_a_value_carries_the_share_of_guesses_that_would_be_right(two_tones_measured, quantity):
    """Of those with a verdict, where the value is not a usual one."""
    said = SAID[quantity] if quantity in SAID else np.linspace(0, two_tones_measured.duration, DRAWS)
    if quantity is Q.PITCH:
        said = np.geomspace(80, 1_000, DRAWS)
    findings = [check(Value(quantity, 2, float(value)), two_tones_measured) for value in said]
    right, wrong = (sum(finding.holds is holds for finding in findings) for holds in (True, False))
    assert min(finding.chance for finding in findings) == pytest.approx(right / (right + wrong), abs=0.02)
    assert 0 < right / DRAWS <= 0.06


@pytest.mark.parametrize(
    ("usual", "rare"),
    [
        (Value(Q.ONSET, 1, 0.1), Value(Q.ONSET, 1, 0.9)),
        (Value(Q.LEVEL, 1, -20.0), Value(Q.LEVEL, 1, -45.0)),
        (Value(Q.DURATION, 1, 0.5), Value(Q.DURATION, 1, 12.0)),
        (Value(Q.PEAK, None, -5.0), Value(Q.PEAK, None, -40.0)),
    ],
)
def test_what_holds_of_most_recordings_is_guessed_more_easily(two_tones_measured, usual, rare):
    assert check(usual, two_tones_measured).chance > 1.5 * check(rare, two_tones_measured).chance


def test_a_trace_of_which_half_is_wrong_earns_half_of_what_its_numbers_are_worth(two_tones_measured):
    mixed = found("The first tone is near 440 Hz. The second tone is near 900 Hz.", two_tones_measured)
    assert (mixed.supported, mixed.contradicted) == (1, 1)
    right, wrong = (claim.chance for claim in mixed.claims)
    assert mixed.earned == pytest.approx(0.5 * (1 - right - wrong) / (2 - right - wrong))


@pytest.fixture
def two_tones_measured(clips) -> Measurement:
    """440 Hz for 0.3 s at -20 dBFS, then 620 Hz for 0.6 s at -12 dBFS."""
    parts = [(0.1, clips.tone(440, 0.3), -20.0), (0.6, clips.tone(620, 0.6), -12.0)]
    return measure(clips.mix(parts, 1.4, 35.0, np.random.default_rng(3)))


@pytest.mark.parametrize(
    ("sentence", "verdict"),
    [
        ("The pitch is near 620 Hz.", True),  # the longer and louder one
        ("The pitch is near 440 Hz.", None),  # there, but which is meant is not said
        ("The pitch is near 800 Hz.", False),
        ("The first tone is near 440 Hz.", True),
        ("The sound starts at 0.1 s.", True),
        ("The sound starts at 0.6 s.", None),
        ("The sound starts at 0.3 s.", False),
        ("The second tone starts at 0.6 s.", True),
        ("The second tone starts at 0.1 s.", False),
    ],
)
def test_a_value_without_a_part_is_of_what_sounds_most(two_tones_measured, sentence, verdict):
    (claim,) = found(sentence, two_tones_measured).claims
    assert claim.verdict == {True: SUPPORTED, None: NOT_CHECKABLE}.get(verdict, trajectory_pb2.VERDICT_CONTRADICTED)


def test_what_holds_of_most_of_the_sounds_holds_of_all_of_them(clips):
    rng = np.random.default_rng(4)
    tones = [(0.1 + 0.5 * k, clips.tone(hz, 0.3), -20.0) for k, hz in enumerate([330, 330, 500, 330])]
    measured = measure(clips.mix(tones, 2.2, 35.0, rng))
    assert check(Value(Q.PITCH, None, 330.0), measured).holds is True
    assert check(Value(Q.PITCH, None, 500.0), measured).holds is None
    assert check(Value(Q.DURATION, None, 0.3), measured).holds is True


@pytest.mark.parametrize(
    "statement",
    [
        Change(Q.PITCH, None, Relation.MORE),
        Change(Q.LEVEL, None, Relation.LESS),
        Change(Q.TEMPO, None, Relation.SAME),
        Comparison(Q.PITCH, 2, 1, Relation.MORE),
        Comparison(Q.LEVEL, 3, 4, Relation.LESS),
        Comparison(Q.DURATION, 5, None, Relation.MORE),
        Timbre("bright", None), Timbre("high", 3), Timbre("noisy", None), Timbre("sine", None), Timbre("rich", None),
        Regular(True),
    ],
)  # fmt: skip
def test_of_statements_of_two_or_three_ways_at_most_one_holds(melody, statement):
    ways = alternatives(statement)
    assert statement in ways
    assert len(ways) >= 2
    held = sum(check(way, melody).holds is True for way in ways)
    assert held <= 1
    assert check(statement, melody).chance == pytest.approx(held / len(ways))


def test_a_small_count_is_guessed_more_easily_than_a_large_one(clips):
    chances = []
    for number in (1, 2, 5):
        measured = measure(clips.tones(np.random.default_rng(number), number, 30.0).samples)
        assert check(Count(number), measured).holds is True
        chances.append(check(Count(number), measured).chance)
    assert chances == sorted(chances, reverse=True)
    assert chances[0] < 0.5


def test_a_denial_is_as_likely_as_what_it_denies_is_not(two_tones_measured):
    bright = check(Timbre("bright", None), two_tones_measured)
    assert check(Not(Timbre("bright", None)), two_tones_measured).chance == pytest.approx(1 - bright.chance)


def test_a_policy_that_guesses_numbers_earns_a_tenth_of_an_honest_one_at_most(melody):
    """300 traces of four random numbers against one that names what is there."""
    first, last = melody.events[0], melody.events[-1]
    honest = found(
        f"The first tone is near {first.pitch:.0f} Hz and lasts {first.duration:.2f} s. The last tone starts at "
        f"{last.start:.2f} s and is near {last.pitch:.0f} Hz.",
        melody,
    )
    assert (honest.supported, honest.contradicted) == (4, 0)
    rng, earned = np.random.default_rng(6), []
    for _ in range(300):
        hertz = np.exp(rng.uniform(np.log(80), np.log(1_000), 2))
        length, start = np.exp(rng.uniform(np.log(0.02), np.log(20))), rng.uniform(0, melody.duration)
        text = (
            f"The first tone is near {hertz[0]:.0f} Hz and lasts {length:.2f} s. The last tone starts at {start:.2f} s "
            f"and is near {hertz[1]:.0f} Hz."
        )
        earned.append(found(text, melody).earned)
    assert honest.earned == pytest.approx(1.0)
    assert np.mean(earned) <= 0.1 * honest.earned


def test_naming_many_values_of_one_thing_earns_ever_less(two_tones_measured):
    right = "The first tone is near 440 Hz."
    others = " ".join(f"The first tone is near {hz} Hz." for hz in (405, 475))  # too near to be contradicted
    one, many = found(right, two_tones_measured), found(f"{right} {others}", two_tones_measured)
    assert (one.supported, many.supported, many.contradicted) == (1, 1, 0)
    assert many.earned < one.earned


def test_half_a_guess_earns_half(two_tones_measured):
    assert found("The second is higher.", two_tones_measured).earned == pytest.approx(0.5)
    assert found("The second is lower.", two_tones_measured).earned == 0.0


def test_every_quantity_says_what_models_say_of_it():
    for quantity, number in NUMBERS.items():
        said = number.said
        assert said is None or (said.low < said.high and said.share(said.low, said.high) == pytest.approx(1)), quantity
