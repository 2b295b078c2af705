"""What is said of the sound and not read is listed with why, and counts in the coverage."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from earwitness.coverage import coverage
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.listen import main
from reward.parse import read_trace


def unread(text: str) -> list[tuple[str, str]]:
    return [tuple(missed) for missed in read_trace(text, trajectory_pb2.Prompt()).unread]


@pytest.mark.parametrize(
    ("text", "words", "why"),
    [
        ("A dog barks, and the pitch rises.", "A dog barks", "needs to know what a dog sounds like"),
        ("I think it is an owl.", "I think it is an owl", "needs to know what an owl sounds like"),
        ("Somebody says hello.", "Somebody says hello", "needs to know what is said"),
        ("She sounds calm.", "She sounds calm", "needs to know whose voice it is"),
        ("It sounds metallic.", "It sounds metallic", "no measure for metallic"),
        ("Its pitch is remarkable.", "Its pitch is remarkable", "not understood"),
    ],
)
def test_what_is_not_read_is_said_with_why(text, words, why):
    assert (words, why) in unread(text)


@pytest.mark.parametrize(
    "text",
    [
        "The pitch rises.",
        "I will listen once more.",
        "The user asks which dog barks.",
        "Is it a dog?",
        "Maybe it is a dog.",
        "Dogs usually bark twice.",
    ],
)
def test_what_is_read_doubted_asked_or_of_other_things_is_not_listed(text):
    assert unread(text) == []


def test_coverage_counts_claims_and_what_was_not_read():
    decided = trajectory_pb2.Claim(verdict=trajectory_pb2.VERDICT_CONTRADICTED)
    open_ = trajectory_pb2.Claim(verdict=trajectory_pb2.VERDICT_NOT_CHECKABLE)
    assert coverage([], 0) is None
    assert coverage([decided], 0) == 1.0
    assert coverage([decided, open_], 2) == 0.25


def test_listen_shows_what_was_not_read_and_the_coverage(two_tones):
    console = Console(file=io.StringIO(), width=200)
    main([two_tones], "The second is higher. A dog barks.", console=console)
    shown = console.file.getvalue()
    assert "needs to know what a dog sounds like" in shown
    assert "50% of what is said of the sound has a verdict" in shown
