"""Kinds of language that models think in: each kind with sentences of our own, and what is read of them."""

from __future__ import annotations

import pytest

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.families import family_of
from reward.parse import extract_claims
from reward.statements import (
    Change,
    Comparison,
    Count,
    Counted,
    Not,
    Pace,
    Quantity,
    Regular,
    Relation,
    Repeats,
    Side,
    Statement,
    Timbre,
    Value,
)

PAIR = "Two recordings follow each other. Which of the clips is louder? Enter 'A' for the first, 'B' for the second."
TEMPO = "Is the tempo of this loop fast or slow? Enter 'A' for fast, 'B' for slow."
MORE, LESS, SAME = Relation.MORE, Relation.LESS, Relation.SAME


def read(text: str, question: str = "") -> list[Statement]:
    return [c.statement for c in extract_claims(text, trajectory_pb2.Prompt(question=question)) if not c.uncertain]


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("In the first clip a hammer works. That's three separate knocks.", [Count(3, part=1)]),
        ("Clip A has three knocks, while clip B has five.", [Count(3, part=1), Count(5, part=2)]),
        ("The second part is a melody of many notes.", [Not(Count(1, part=2))]),
        ("The second clip has more notes.", [Comparison(Quantity.NUMBER, 2, 1, MORE)]),
        ("The second clip is sparser.", [Comparison(Quantity.DENSITY, 2, 1, LESS)]),
        ("The first clip is a row of quick taps.", [Pace(True, False, 1)]),
        ("The first clip is a goose. After that, a rapid drum roll of taps begins.", [Pace(True, False, 2)]),
        (
            "First clip: a crackling fire. Second clip: a kettle. The kettle is louder.",
            [Comparison(Quantity.LEVEL, 2, 1, MORE)],
        ),
        ("First clip: ducks. Second clip: a kettle. Ducks are higher.", [Comparison(Quantity.PITCH, 1, 2, MORE)]),
        ("There is no hiss in the second.", [Timbre("clean", 2)]),
        ("A is muffled and B's sound is not.", [Timbre("dull", 1)]),
        ("The second has a more obvious echo.", [Comparison(Quantity.DECAY, 2, 1, MORE)]),
        ("The second is less muffled.", [Comparison(Quantity.CENTROID, 2, 1, MORE)]),
        ("The second is quieter at the start.", [Comparison(Quantity.LEVEL, 2, 1, LESS)]),
        (
            "Clip B is dull, unlike the first. It is louder.",
            [Timbre("dull", 2), Comparison(Quantity.LEVEL, 2, 1, MORE)],
        ),
        ("The second is fuller.", [Comparison(Quantity.PARTIAL, 2, 1, MORE)]),
    ],
)
def test_what_is_said_of_one_of_two_clips_is_of_that_one(text, statements):
    assert read(text, PAIR) == statements


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("The echo is very slight.", Timbre("dry", None)),
        ("The hiss is minimal.", Timbre("clean", None)),
        ("There isn't any cue like an echo, or hiss.", Not(Timbre("reverberant", None))),
        ("It has no warmth that might suggest anything else.", Not(Timbre("dull", None))),
        ("The voice has a low, mumbling quality.", Timbre("low", None)),
        ("It is a low cello note.", Timbre("low", None)),
        ("I hear a short, clear beep.", Timbre("short", None)),
        ("The pitch wavers.", Not(Change(Quantity.PITCH, None, SAME))),
        ("There is no vibrato.", Change(Quantity.PITCH, None, SAME)),
        ("It keeps a consistent volume.", Change(Quantity.LEVEL, None, SAME)),
        ("The tempo is consistent.", Change(Quantity.TEMPO, None, SAME)),
        ("It is a rhythmic knocking.", Regular(True)),
        ("The knocking is repetitive.", Repeats()),
        ("It is a mono recording.", Side("middle")),
        ("The gap is silent.", Not(Count(0, Counted.PAUSES))),
        ("In total 2 s (the bell) + 1 s (silence) = 3 seconds.", Value(Quantity.CLIP, None, 3.0)),
        ("From 0:02 to 0:05, there is a bell.", Value(Quantity.ONSET, None, 2.0)),
        ("Even though it is bright, I am done.", Timbre("bright", None)),
    ],
)
def test_qualities_and_courses_are_read(text, statement):
    assert statement in read(text)


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("So it's fast.", [Pace(True, False)]),
        ("It feels steady.", [Regular(True)]),
        ("Anything over 95 is fast, so 90 is slow.", []),
    ],
)
def test_of_a_question_about_tempo_the_pace_is_spoken_of(text, statements):
    assert read(text, TEMPO) == statements
    assert not read(text.replace("steady", "fine"))


@pytest.mark.parametrize(
    "text",
    [
        "Each quack is a single sound.",
        "The kick is on 1 and 3, a snare between.",
        "The final answer is for dull.",
        "There are several options.",
        "'A' for bright and 'B' for dull.",
        "Consider a sound loud from -15 on.",
        "The attack is soft.",
        "It has less energy in the high range.",
        "They want a bright sound.",
        "Human hearing is best at a high pitch.",
        "A lot of ballads are slow in tempo.",
        "A dull sound has no treble, and a shout is loud.",
        "In a tiled hall, the echo is strong.",
        "Low tones are heard as dull.",
        "Reverb is a large room's answer.",
        "Middle C is 262 Hz and A3 is 220 Hz.",
        "90 BPM is 1.5 beats per second.",
        "I would expect the second to be lower.",
        "I look how many beats there are.",
    ],
)
def test_what_only_looks_like_a_statement_is_none(text):
    assert not read(text, PAIR)


def test_one_note_repeated_is_more_than_one():
    assert read("It is one note repeated.") == [Repeats()]


def test_a_question_loses_only_what_it_asks():
    assert read("The first is longer, but is it louder too?", PAIR) == [Comparison(Quantity.DURATION, 1, 2, MORE)]


def test_a_quotation_ends_its_sentence():
    assert read('The prompt says "Count the bells." Then a bright bell rings.') == [Timbre("bright", None)]


def test_what_may_be_answered_is_not_known_beforehand():
    """The choices of a question name both ends of a scale: naming one in the trace is a claim."""
    question = "Is it bright or dull? Enter 'A' for bright, 'B' for dull."
    assert read("The bell is bright.", question) == [Timbre("bright", None)]
    assert read("The bell is dull.", question) == [Timbre("dull", None)]


def test_numbers_of_sounds_are_counts():
    assert family_of(Comparison(Quantity.DENSITY, 2, 1, MORE)).name == "count"


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("Let me count: 1, 2, 3, 4, 5.", [Count(5)]),
        ("Let me count: 1, 2, 3...", []),
        ("I hear a knock, then another, then another one.", [Count(3)]),
        ("There are six low thumps.", [Count(6), Timbre("low", None)]),
        ("There are six options.", []),
        ("The first knock is at 0:01, then another at 0:02, then 0:04.", [
            Value(Quantity.ONSET, 1, 1.0), Value(Quantity.ONSET, 2, 2.0), Value(Quantity.ONSET, 3, 4.0)
        ]),
        ("It stops around 1.6 or 1.7 seconds.", [Value(Quantity.OFFSET, None, 1.6)]),
        ("It is harder to hear.", []),
    ],
)  # fmt: skip
def test_counts_and_times_said_aloud_are_read(text, statements):
    assert read(text) == statements


def test_of_a_question_about_length_seconds_are_a_length():
    assert read("So it's about 2.3 seconds.", "Is the sound longer than 2 seconds?") == [
        Value(Quantity.DURATION, None, 2.3)
    ]
    assert not read("So it's about 2.3 seconds.")


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("There is plenty of treble.", [Timbre("bright", None)]),
        ("The sound lacks sparkle.", [Timbre("dull", None)]),
        ("It has a warm, woody tone.", [Timbre("dull", None)]),
        ("The energy sits in the low range.", [Timbre("dull", None)]),
        ("The volume is very low.", [Timbre("soft", None)]),
        ("The pitch sounds high.", [Timbre("high", None)]),
        ("The echo has a long tail.", [Timbre("reverberant", None), Timbre("reverberant", None)]),
        ("It is barely audible.", [Timbre("soft", None)]),
        ("There are plenty of overtones.", [Timbre("rich", None)]),
        ("Several notes sound together.", [Timbre("chord", None)]),
        ("There are no pauses.", [Count(0, Counted.PAUSES)]),
        ("A gap of half a second follows.", [Value(Quantity.GAP, None, 0.5)]),
        ("After a second of silence it goes on.", [Value(Quantity.PAUSE, None, 1.0)]),
        ("At 1.5 seconds there's a click.", [Value(Quantity.ONSET, None, 1.5)]),
        ("At about 2.5 s, the bell stops.", [Value(Quantity.OFFSET, None, 2.5)]),
        ("At 2 seconds, it's still heard.", []),
        ("The bell plays until 0:03.", [Value(Quantity.OFFSET, None, 3.0)]),
        ("Woof, woof, woof.", [Count(3)]),
        ("There are three or four notes.", []),
        ("The noise level is higher.", []),
        ("It drifts to the right.", [Side("rightward")]),
    ],
)
def test_more_words_for_the_same(text, statements):
    assert read(text) == statements


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("Clip A is twice as long as B.", [Comparison(Quantity.DURATION, 1, 2, MORE)]),
        ("The volume drops in the second clip.", [Comparison(Quantity.LEVEL, 2, 1, LESS)]),
        ("The amplitude of the second is greater.", [Comparison(Quantity.LEVEL, 2, 1, MORE)]),
        ("The room of the second is larger.", []),
        ("They have similar volumes.", [Comparison(Quantity.LEVEL, 1, 2, SAME)]),
        ("The first clip has two knocks while the second has five.", [Count(2, part=1), Count(5, part=2)]),
        ("The noise level of the second is higher.", [Comparison(Quantity.HARMONICITY, 2, 1, LESS)]),
        ("The first one goes from 0:00 to 0:03, and the second follows.", [
            Value(Quantity.ONSET, 1, 0.0), Value(Quantity.OFFSET, 1, 3.0)
        ]),
    ],
)  # fmt: skip
def test_more_ways_to_compare_two_clips(text, statements):
    assert read(text, PAIR) == statements


def test_a_frame_of_this_clip_is_none_of_sounds_in_general():
    assert read("With a length of 0.4 s the first tone is short.") == [
        Value(Quantity.DURATION, 1, 0.4), Timbre("short", 1)
    ]  # fmt: skip


def test_clips_by_letter_are_no_choices():
    assert read("A is louder and B is softer.", PAIR) == [
        Comparison(Quantity.LEVEL, 1, 2, MORE), Comparison(Quantity.LEVEL, 2, 1, LESS)
    ]  # fmt: skip
    assert not read("'A' if loud, 'B' if soft.", PAIR)
