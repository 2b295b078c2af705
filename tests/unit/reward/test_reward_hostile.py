"""Answers made to be misread: none of some thousand is, whatever the rule that made it."""

from __future__ import annotations

import pytest

from earwitness.manifest import VERIFIERS
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.correctness import verify_answer
from reward.numbers import single_number
from tests.unit.reward.hostile_answers import cases


def right(verifier: str, answer: str, given: str, *choices: str) -> bool:
    prompt = trajectory_pb2.Prompt(id="p", answer=answer, choices=choices, verifier=VERIFIERS[verifier])
    return verify_answer(prompt, given).correct


def test_no_answer_that_is_made_to_be_misread_is_misread():
    made = list(cases())
    assert {case.prompt.verifier for case in made} == {
        VERIFIERS[name] for name in ("choice", "math", "number", "polar", "text")
    }
    assert len(made) > 2_000
    misread = [case for case in made if verify_answer(case.prompt, case.given).correct != case.right]
    assert misread == []


@pytest.mark.parametrize(
    ("answer", "given", "choices"),
    [
        ("It does not change", "I think it does not change.", ("It changes", "It does not change")),
        ("No", "No, it does not.", ("Yes", "No")),
        ("Yes", "Yes, it does not stop.", ("Yes", "No")),
        ("狗", "答案是狗", ("猫", "狗")),
        ("-3 dB", "−3 dB", ("-3 dB", "3 dB")),
        ("?", "?", ("!", "?", ".")),
    ],
)
def test_denials_that_are_the_answer(answer, given, choices):
    assert right("choice", answer, given, *choices)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("1.5e3", 1500),
        ("2×10³", 2000),
        ("10²", 100),
        ("½", 0.5),
        ("2½", 2.5),
        ("minus five", -5),
        ("三", 3),
        ("二十一", 21),
        ("5!", 120),
        ("half a dozen", 6),
        ("2 billion", 2e9),
        ("3 hundred", 300),
        ("three point five", 3.5),
        ("5k", 5000),
        ("9^60", None),
        ("1e400", None),
        ("9" * 400, None),
        ("170!", None),
        ("x > 5", None),
        ("5 or 6", None),
        ("at least 5", None),
    ],
)
def test_what_stands_beside_a_number_counts(given, value):
    assert single_number(given) == (None if value is None else pytest.approx(value))
