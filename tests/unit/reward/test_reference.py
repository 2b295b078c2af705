"""A reference is tried on its own verifier."""

import json

import pytest

from earwitness.errors import Problem
from earwitness.manifest import parse_line
from reward.reference import reference_problem


def problem(verifier: str, answer: str, *choices: str) -> str | None:
    record = {"id": "1", "question": "q", "answer": answer, "verifier": verifier, "choices": list(choices)}
    problems: list[Problem] = []
    example = parse_line(json.dumps(record).encode(), "here", 1, problems)
    assert example is not None, problems
    return reference_problem(example.prompt)


@pytest.mark.parametrize(
    ("verifier", "answer", "choices"),
    [
        ("choice", "the second", ["the first", "the second"]),
        ("choice", "C", ["C", "C#", "D"]),
        ("choice", "5", ["5", "5.5", "-5"]),
        ("choice", "A minor", ["A minor", "A major"]),
        ("choice", "A", ["B", "A", "C"]),
        ("choice", "How are you?", ["How are you?", "Who is it?"]),
        ("choice", "Not a dog", ["A dog", "Not a dog"]),
        ("choice", "dog.", ["dog", "dog.", "cat"]),
        ("number", "1,004", []),
        ("number", "twelve", []),
        ("polar", "invalid", []),
        ("polar", "No", []),
        ("text", "a violin", []),
        ("math", r"\frac{1}{2}", []),
        ("judge", '["is funny"]', []),
    ],
)
def test_a_reference_that_is_right_alone(verifier: str, answer: str, choices: list[str]) -> None:
    assert problem(verifier, answer, *choices) is None


@pytest.mark.parametrize(
    ("verifier", "answer", "choices", "words"),
    [
        ("number", "5 or 6", [], "not right by its own verifier number"),
        ("number", "a dog", [], "not right by its own verifier number"),
        ("text", "The answer is B", [], "not right by its own verifier text"),
        ("choice", "a\u200bb", ["ab", "a\u200bb"], "reads the same as"),
        ("math", "\u200b", [], "says nothing to math"),
        ("judge", "\u200b", [], "says nothing to judge"),
    ],
)
def test_a_reference_that_misleads(verifier: str, answer: str, choices: list[str], words: str) -> None:
    assert words in (problem(verifier, answer, *choices) or "")
