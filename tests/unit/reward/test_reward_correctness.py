"""Numbers, sides, and what decides where words differ."""

from __future__ import annotations

import pytest

from earwitness.errors import InfrastructureError
from earwitness.manifest import POLAR_ANSWERS
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.coherence import is_coherent
from reward.correctness import verify_answer
from reward.correctness.expressions import as_latex, same_expression
from reward.correctness.polar import polar_answer
from reward.correctness.sandbox import MathFailure
from reward.numbers import same_number
from reward.score import score_group


@pytest.mark.parametrize(
    ("expected", "given", "right"),
    [
        ("2.5", "2 1/2", True), ("2.5", "two and a half", True), ("0.5", "one half", True), ("0.5", "a half", True),
        ("0.75", "three quarters", True), ("0.6667", "two thirds", True), ("12", "a dozen eggs", True),
        ("2500000", "2.5 million", True), ("1200000", "1,200,000 people", True), ("50", "50%", True),
        ("50%", "0.5", True), ("50%", "50", True), ("50%", "51%", False), ("0.5", "50 percent", True),
        ("50%", "5000%", False), ("7", "7 km", True), ("7", "seven beeps", True), ("0.5", "1/2 and 1/3", False),
        ("2.5", "2 1/3", False), ("105", "one hundred and five", True), ("-2.5", "-2 1/2", True),
        ("13", "thirteen", True), ("3", "third", False), ("1", "100%", True), ("20", "2 dozen", False),
    ],
)  # fmt: skip
def test_numbers(expected, given, right):
    assert same_number(expected, given) is right


@pytest.mark.parametrize(
    ("expected", "given", "side"),
    [
        ("yes", "Yes.", "yes"), ("yes", "No", "no"), ("no", "No, you do not return.", "no"), ("yes", "True", "yes"),
        ("no", "The answer is no", "no"), ("no", "It is not true.", "no"), ("yes", "not false", "yes"),
        ("yes", "yes or no", None), ("yes", "Yes, yes!", "yes"), ("yes", "perhaps", None), ("yes", "", None),
        ("valid", "The argument is valid.", "valid"), ("valid", "invalid", "invalid"),
        ("valid", "The argument is not valid", "invalid"), ("invalid", "It isn't deductively valid.", "invalid"),
        ("valid", "not invalid", "valid"), ("valid", "valid or invalid", None), ("valid", "yes", None),
        ("yes", "There is no doubt: yes", "yes"), ("no", "yes? no!", None), ("true", "No.", "no"),
        ("valid", "It is never valid, so invalid", "invalid"), ("yes", "invalid", None), ("correct", "wrong", None),
        ("yes", "Yes, there is no doubt", "yes"), ("valid", "not, I think; valid", "valid"),
    ],
)  # fmt: skip
def test_sides(expected, given, side):
    assert polar_answer(given, expected) == side


def test_every_polar_reference_takes_a_side():
    for answer in POLAR_ANSWERS:
        prompt = trajectory_pb2.Prompt(id="p", answer=answer, verifier=trajectory_pb2.VERIFIER_POLAR)
        assert verify_answer(prompt, f"It is {answer}.").correct


def test_a_side_follows_from_the_trace():
    prompt = trajectory_pb2.Prompt(id="p", answer="invalid", verifier=trajectory_pb2.VERIFIER_POLAR)
    assert is_coherent(prompt, "The second premise fails, so it is not valid.", "invalid")
    assert not is_coherent(prompt, "The second premise fails, so it is not valid.", "valid")


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("2x+1", "$2x+1$"), ("pi/2", r"$\pi/2$"), ("{1,2}", r"$\{1,2\}$"), (r"\frac{1}{2}", r"$\frac{1}{2}$"),
        ("72 dollars", "$72$"), ("a woman", ""), ("$x$", "$x$"), ("x**2", "$x^2$"), ("xy", "$xy$"),
        ("twenty-one apples", "$21$"), ("sin(x)", r"$\sin(x)$"),
    ],
)  # fmt: skip
def test_answers_reach_math_verify_as_latex(text, latex):
    assert as_latex(text) == latex


def test_a_comparison_without_end_drops_its_sample_only(make_group, monkeypatch):
    def same(expected: str, given: str) -> bool:
        if given == "hang":
            raise MathFailure("math-verify", 3.0, "killed after 3.0 s")
        return same_expression(expected, given)

    monkeypatch.setattr("reward.correctness.rules.same_expression", same)
    group = make_group("I add them all up.</think>4", "I add them all up.</think>hang", audio_uri="")
    del group.task.prompt.choices[:]
    group.task.prompt.answer, group.task.prompt.verifier = "4", trajectory_pb2.VERIFIER_MATH
    score_group(group)
    right, hung = (trajectory.reward for trajectory in group.trajectories)
    assert (right.correct, right.drop_reason) == (True, "")
    assert not hung.correct
    assert "killed after 3.0 s" in hung.drop_reason


class Agrees:
    def agrees(self, question: str, reference: str, answer: str) -> bool:
        return (question, reference, answer) == ("What is heard?", "a violin", "Some fiddle")


def test_the_judge_decides_only_where_words_differ():
    prompt = trajectory_pb2.Prompt(
        id="j", question="What is heard?", answer="a violin", verifier=trajectory_pb2.VERIFIER_JUDGE
    )
    assert verify_answer(prompt, "The violin.").correct
    assert verify_answer(prompt, "Some fiddle", Agrees()).correct
    assert not verify_answer(prompt, "A drum", Agrees()).correct
    assert not verify_answer(prompt, "...", Agrees()).correct
    with pytest.raises(InfrastructureError, match="EW_JUDGE_URL"):
        verify_answer(prompt, "Some fiddle")
