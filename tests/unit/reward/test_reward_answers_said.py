"""Answers as models word them: what is ruled out by name, what is only held possible, counts in words, languages."""

from __future__ import annotations

import pytest

from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire
from reward.correctness import verify_answer

ANIMALS = ("cat", "dog", "bird", "cow")


def right(verifier: int, answer: str, given: str, choices: tuple[str, ...] = ()) -> bool:
    return verify_answer(wire.Prompt(verifier=verifier, answer=answer, choices=choices), given).correct


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("Not A but B", True),
        ("It is not A but B.", True),
        ("It's not the cat but the dog.", True),
        ("not a cat or a bird, but a dog", True),
        ("B rather than A", True),
        ("the dog instead of the cat", True),
        ("B (not C)", True),
        ("A is wrong, so B", True),
        ("It can't be A, so it must be B.", True),
        ("Eliminating A, C, D leaves B.", True),
        ("B: unlike a cat, it barks", True),
        ("B) because a cat would meow", True),
        ("Answer: B\n\nExplanation: A cat would meow.", True),
        ("**B**\nThe bark is short.", True),
        ("cat, not dog", False),
        ("dog, not a dog", False),
        ("no dog, not a cat", False),
        ("a dog or a cow, not a cat", False),
        ("not a cat, not a bird, not a cow", False),
        ("B\n\nExplanation: no, it is a cat.", False),
        ("B\nC", False),
        ("A\nB\nC\nD", False),
        ("not B but A", False),
        ("A rather than B", False),
        ("B is wrong, so A", False),
        ("It is not the dog but it is no cat", False),
        ("not the cat, the dog", False),
        ("B because a dog is not a cat or a bird, or B is wrong", False),
        ("Vitamin B", False),
        ("hepatitis B", False),
        ("plan B is best", False),
        ("A and B", False),
        ("both A and B", False),
        ("bird dog", False),
        ("dog cow", False),
        ("B?", False),
        ("maybe B", False),
        ("it could be the dog", False),
        ("B, perhaps", False),
        ("B. It may be a large one.", True),
        ("the second option", True),
        ("the first option", False),
        ("La respuesta es B", True),
        ("Die Antwort ist B", True),
    ],
)
def test_one_of_four_animals(given: str, names: bool) -> None:
    assert right(wire.VERIFIER_CHOICE, "dog", given, ANIMALS) is names


@pytest.mark.parametrize(
    ("given", "names"), [("three", True), ("3 times", True), ("3.5", False), ("13", False), ("A, three", False)]
)
def test_choices_that_are_numbers_are_read_as_such(given: str, names: bool) -> None:
    assert right(wire.VERIFIER_CHOICE, "3", given, ("2", "3", "4")) is names


@pytest.mark.parametrize(
    ("given", "side"),
    [
        ("Absolutely.", "yes"), ("Of course!", "yes"), ("I think so", "yes"), ("No doubt, yes", "yes"), ("Sí", "yes"),
        ("是的", "yes"), ("Not really.", "no"), ("I don't think so", "no"), ("I doubt it", "no"), ("Nein", "no"),
        ("maybe yes", ""), ("It could be yes", ""), ("yes, maybe", ""), ("perhaps no", ""), ("yes?", ""),
    ],
)  # fmt: skip
def test_yes_and_no_in_other_words(given: str, side: str) -> None:
    assert {answer for answer in ("yes", "no") if right(wire.VERIFIER_POLAR, answer, given)} == {side} - {""}


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("twice", "2"), ("3 times.", "3"), ("none", "0"), ("There are no beeps at all.", "0"), ("1 000", "1000"),
        ("I count 3: one, two, three", "3"), ("One, two, three, four... four beeps.", "4"),
        ("one, two, three", ""), ("one, two, three: 4", ""), ("3+", ""), ("maybe 3", ""), ("3?", ""), ("no idea", ""),
        ("3 times as many", ""), ("no one", ""),
    ],
)  # fmt: skip
def test_counts_in_words(given: str, value: str) -> None:
    known = ("0", "1", "2", "3", "4", "1000")
    assert {number for number in known if right(wire.VERIFIER_NUMBER, number, given)} == {value} - {""}


def test_words_that_were_said_need_no_punctuation() -> None:
    assert right(wire.VERIFIER_TEXT, "Hello, world!", "hello world")
    assert not right(wire.VERIFIER_TEXT, "Hello, world!", "world hello")
    assert not right(wire.VERIFIER_TEXT, "3.5 m", "35 m")
