"""Sentences about stretches, pauses, chords, partials, repetition, pace and sides: what is understood of them."""

from __future__ import annotations

import math

import pytest

from reward.parse.extract import claims_in
from reward.statements import (
    BEGINNING,
    ENDING,
    Bound,
    Change,
    Comparison,
    Count,
    Counted,
    Not,
    Pace,
    Quantity,
    Relation,
    Repeats,
    Side,
    Span,
    Timbre,
    Turn,
    Value,
)

MORE, LESS = Relation.MORE, Relation.LESS
Q = Quantity
AFTER, BEFORE = Span(1.2, math.inf), Span(0.0, 1.2)
FIRST_HALF, SECOND_HALF = Span(0.0, 0.5, True), Span(0.5, 1.0, True)

SENTENCES = [
    ("After 1.2 s the sound is louder.", [Comparison(Q.LEVEL, AFTER, BEFORE, MORE)]),
    ("It is louder after about 1.2 s than before.", [Comparison(Q.LEVEL, AFTER, BEFORE, MORE)]),
    ("The tone before 1.2 seconds is lower than the one after it.", [Comparison(Q.PITCH, BEFORE, AFTER, LESS)]),
    ("Until 1.2 s it is brighter.", [Comparison(Q.CENTROID, BEFORE, AFTER, MORE)]),
    ("It is silent after 1.2 s.", [Timbre("silent", AFTER)]),
    ("Nothing is heard before 1.2 s.", [Timbre("silent", BEFORE)]),
    ("Between 0.5 s and 1.2 s it is silent.", [Timbre("silent", Span(0.5, 1.2))]),
    ("It is silent from 0.5 to 1.2 s.", [Timbre("silent", Span(0.5, 1.2))]),
    ("Then there is silence.", []),
    ("There are three beeps after 1.2 s.", [Count(3, part=AFTER)]),
    ("Before 1.2 s I hear two beeps.", [Count(2, part=BEFORE)]),
    ("The end is louder than the beginning.", [Comparison(Q.LEVEL, ENDING, BEGINNING, MORE)]),
    ("It is softer at the end.", [Comparison(Q.LEVEL, ENDING, BEGINNING, LESS)]),
    ("In the second half the pitch is higher.", [Comparison(Q.PITCH, SECOND_HALF, FIRST_HALF, MORE)]),
    ("In the first half the pitch rises.", [Change(Q.PITCH, FIRST_HALF, MORE)]),
    ("The pulses speed up towards the end.", [Change(Q.TEMPO, None, MORE)]),
    (
        "The pitch is 310 Hz at the beginning and 520 Hz at the end.",
        [Value(Q.PITCH_START, None, 310), Value(Q.PITCH_END, None, 520)],
    ),
    ("In the end I am sure that the pitch rises.", [Change(Q.PITCH, None, MORE)]),
    ("The pitch rises and then falls.", [Turn(Q.PITCH, None, MORE, LESS)]),
    ("The tone rises in pitch and the level falls.", [Change(Q.PITCH, None, MORE), Change(Q.LEVEL, None, LESS)]),
    ("The pitch rises by about 7 semitones.", [Change(Q.PITCH, None, MORE), Value(Q.PITCH_RANGE, None, 7)]),
    ("The second is an octave higher.", [Comparison(Q.PITCH, 2, 1, MORE, 12)]),
    ("There are two pauses.", [Count(2, Counted.PAUSES)]),
    ("He pauses twice.", [Count(2, Counted.PAUSES)]),
    ("The first pause is longer than the second.", [Comparison(Q.PAUSE, 1, 2, MORE)]),
    ("The first pause lasts 0.5 s.", [Value(Q.PAUSE, 1, 0.5)]),
    ("The clip begins with 0.3 s of silence.", [Value(Q.LEAD, None, 0.3)]),
    ("The clip ends with 0.4 s of silence.", [Value(Q.TRAIL, None, 0.4)]),
    ("The first beep starts at 0.5 s and ends at 1.0 s.", [Value(Q.ONSET, 1, 0.5), Value(Q.OFFSET, 1, 1.0)]),
    ("The pattern repeats four times.", [Count(4, Counted.REPEATS)]),
    ("The same phrase is heard three times.", [Count(3, Counted.REPEATS)]),
    ("The pattern repeats every 0.5 s.", [Value(Q.PERIOD, None, 0.5)]),
    ("The beep comes every 0.5 s.", [Value(Q.GAP, None, 0.5)]),
    ("The pattern does not repeat.", [Not(Repeats())]),
    ("The melody repeats itself.", [Repeats()]),
    ("There are two groups of three beeps.", [Count(2, Counted.REPEATS), Count(3, Counted.GROUP)]),
    ("It beeps four times.", [Count(4)]),
    ("More than three beeps are heard.", [Bound(Quantity.NUMBER, None, 4, math.inf)]),
    ("There aren't three beeps.", [Not(Count(3))]),
    ("Three tones sound at the same time.", [Count(3, Counted.NOTES)]),
    ("It is a three-note chord.", [Count(3, Counted.NOTES), Timbre("chord", None)]),
    (
        "The notes are at 440, 550 and 660 Hz.",
        [Value(Q.PITCH, None, 440), Value(Q.PITCH, None, 550), Value(Q.PITCH, None, 660)],
    ),
    ("The partials lie at 440 and 880 Hz.", [Value(Q.PARTIAL, None, 440), Value(Q.PARTIAL, None, 880)]),
    ("It has five harmonics.", [Count(5, Counted.PARTIALS)]),
    ("There are four overtones.", [Count(5, Counted.PARTIALS)]),
    ("The third harmonic is stronger than the second.", []),
    ("The harmonics-to-noise ratio is about 20 dB.", [Value(Q.HARMONICITY, None, 20)]),
    ("The bandwidth is about 1500 Hz.", [Value(Q.BANDWIDTH, None, 1500)]),
    ("The peak level is about -6 dBFS.", [Value(Q.PEAK, None, -6)]),
    ("It is a noisy sound.", [Timbre("noisy", None)]),
    ("The recording has a soft background.", []),
    ("The first beep is soft and the second is loud.", [Timbre("soft", 1), Timbre("loud", 2)]),
    ("The pulses are fast.", [Pace(True, False)]),
    ("The speech is slow.", [Pace(False, True)]),
    ("The tone has a fast decay.", []),
    ("I count twelve syllables.", [Count(12, Counted.SYLLABLES)]),
    ("The first is on the left and the second comes from the right.", [Side("left", 1), Side("right", 2)]),
    ("The left channel is quieter.", [Side("right")]),
    ("There is a pause in the middle.", []),
]  # fmt: skip
DOUBTED = [
    "The pitch might rise.", "Perhaps the pitch rises.", "The pitch rises, perhaps.", "It could be a square wave.",
    "I am not sure if the pitch rises.", "The pitch rises, but I'm not sure.", "It is hard to say if the pitch rises.",
    "A square wave would sound hollow.", "The pitch should rise.",
]  # fmt: skip
FIRM = ["I would say the pitch rises.", "The pitch seems to rise.", "The pitch clearly rises.", "I think it rises."]
NOT_SAID = [
    "Which of the two tones is higher, the first or the second", "Is the second tone higher", "Does the pitch rise?",
    "(A) the pitch rises (B) the pitch falls", "A. The pitch rises\nB. The pitch falls", "The options are: it rises.",
    "Somebody says 'the pitch rises' here.", "He wrote “the pitch rises”.", "The question asks if the pitch rises.",
    "The pitch rises or falls.", "It may be asked whether it rises.",
]  # fmt: skip


@pytest.mark.parametrize(("text", "statements"), SENTENCES, ids=[text[:40] for text, _ in SENTENCES])
def test_sentence_is_understood(text, statements):
    assert [claim.statement for claim in claims_in(text)] == statements


@pytest.mark.parametrize("text", DOUBTED)
def test_doubted(text):
    claims = claims_in(text)
    assert all(claim.uncertain for claim in claims)


@pytest.mark.parametrize("text", FIRM)
def test_hedges_and_opinions_are_claims(text):
    (claim,) = claims_in(text)
    assert not claim.uncertain


@pytest.mark.parametrize("text", NOT_SAID)
def test_questions_choices_and_quotations_are_no_claims(text):
    assert claims_in(text) == []


def test_numbered_steps_are_claims():
    assert len(claims_in("1. The pitch rises.\n2. The second is longer.")) == 2


def test_contractions_are_no_quotations():
    text = "The first isn't higher, and the pitch doesn't rise."
    assert [type(claim.statement) for claim in claims_in(text)] == [Not, Not]
