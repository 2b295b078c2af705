"""Sentences as real models write them: what is read of them, and what is not."""

from __future__ import annotations

import pytest

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.parse import extract_claims
from reward.statements import Comparison, Count, Counted, Not, Quantity, Relation, Statement, Timbre, Value


def read(text: str, question: str = "") -> list[Statement]:
    return [c.statement for c in extract_claims(text, trajectory_pb2.Prompt(question=question)) if not c.uncertain]


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("The guitar has a long echo.", Timbre("reverberant", None)),
        ("There is hardly any room around it, and no audible reverb.", Timbre("dry", None)),
        ("The recording is not dry.", Not(Timbre("dry", None))),
        ("The reverberation time is about 1.4 seconds.", Value(Quantity.DECAY, None, 1.4)),
        ("The second has more reverb than the first.", Comparison(Quantity.DECAY, 2, 1, Relation.MORE)),
    ],
)
def test_rooms_are_read(text, statement):
    assert statement in read(text)


@pytest.mark.parametrize(
    "text",
    [
        "People can hear from 20 Hz to 20 kHz.",
        "Typically, people hear from 20 Hz to 20 kHz, so 80 Hz is a low-pitched sound.",
        "The threshold is 80 Hz, which is a low pitch.",
        "The user wants to know which of the two is louder.",
        "Dogs make loud, short sounds.",
        "In music, a faster tempo means more beats, while a slower tempo has fewer.",
        "Reverberation is when a sound is reflected by walls, so it has an echo.",
        "Bright sounds often have high-frequency content.",
        "I need to decide if the pitch rises.",
        "It is probable that the second is louder.",
        "For example, three beeps with a pitch of 200 Hz.",
    ],
)
def test_what_is_not_heard_in_the_clip_is_no_claim(text):
    assert not read(text)


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("Bells usually ring at a high pitch, but this one is near 300 Hz.", Value(Quantity.PITCH, 1, 300)),
        ("The user asks for the pitch, and the tone is near 300 Hz.", Value(Quantity.PITCH, None, 300)),
        ("Maybe it is a flute, but the pitch is near 300 Hz.", Value(Quantity.PITCH, None, 300)),
    ],
)
def test_what_is_heard_beside_it_is_a_claim(text, statement):
    assert statement.quantity in [s.quantity for s in read(text) if isinstance(s, Value)]


PAIR = "Two clips are joined. Which one is longer? 'A' for the first, 'B' for the second."


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("The second clip (00:04-00:07) is a bell.", [Value(Quantity.ONSET, 2, 4), Value(Quantity.OFFSET, 2, 7)]),
        ("Segment A plays from 0:01 to 0:03.5.", [Value(Quantity.ONSET, 1, 1), Value(Quantity.OFFSET, 1, 3.5)]),
        ("The first one stops right around 1.7 seconds.", [Value(Quantity.OFFSET, 1, 1.7)]),
        ("Clip B: It is a higher-pitched bell.", [Comparison(Quantity.PITCH, 2, 1, Relation.MORE)]),
        ("Now the second clip. This one is more muffled.", [Comparison(Quantity.CENTROID, 2, 1, Relation.LESS)]),
        ("The second clip is faster.", [Comparison(Quantity.TEMPO, 2, 1, Relation.MORE)]),
        ("The clip holds a single, long whistling note.", [Count(1)]),
        ("There are five separate barks.", [Count(5)]),
        ("A door creaks, then silence.", [Not(Count(0, Counted.PAUSES))]),
        ("A snare is heard on 2 and 4.", []),
        ("This one sounds different.", []),
        ("Clip A lasts 2 seconds. Wait, no, clip A lasts 3 seconds.", [Value(Quantity.DURATION, 1, 3)]),
    ],
)
def test_times_and_parts_as_models_write_them(text, statements):
    quantities = {type(s) for s in statements}
    assert [s for s in read(text, PAIR) if type(s) in quantities or not statements] == statements
