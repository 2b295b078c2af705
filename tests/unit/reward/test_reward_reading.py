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
