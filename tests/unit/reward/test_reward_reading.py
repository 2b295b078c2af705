"""Sentences as real models write them: what is read of them, and what is not."""

from __future__ import annotations

import pytest

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.claims import extract_claims
from reward.claims.facts import Comparison, Not, Quantity, Relation, Statement, Timbre, Value


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
