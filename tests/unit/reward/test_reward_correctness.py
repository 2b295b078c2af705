"""Numbers, sides, expressions, and the processes that compare them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from earwitness.errors import InfrastructureError
from earwitness.manifest import POLAR_ANSWERS
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.coherence import is_coherent
from reward.correctness import verify_answer
from reward.correctness.expressions import as_latex, same_expression
from reward.correctness.polar import polar_answer
from reward.correctness.sandbox import MathFailure, Sandbox
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


@pytest.mark.parametrize(
    ("expected", "given", "right"),
    [
        (r"\frac{1}{2}", "0.5", True), ("5", "five", True), ("5", "x = 5", True), ("(1,2)", "(1, 2)", True),
        ("{1,2}", "{2,1}", True), ("33.33%", "0.3333", True), ("72", "72 dollars, not 73", True),
        ("x^2-1", "(x-1)(x+1)", True), ("2x+1", "1 + 2x", True), ("2x+1", "2", False), ("1000", "1,000", True),
        ("(1,2)", "2", False), (r"\sqrt{2}/2", r"$\frac{1}{\sqrt{2}}$", True), ("pi/2", r"\frac{\pi}{2}", True),
        ("x^2", "x^3", False), ("5", "A woman", False), ("5", "", False), ("10", "10 apples", True),
        ("B", r"\boxed{B}", True), ("[0,1)", "[0,1]", False), ("x>3", r"(3,\infty)", True), ("2", "2x", False),
    ],
)  # fmt: skip
def test_expressions(expected, given, right):
    prompt = trajectory_pb2.Prompt(id="m", answer=expected, verifier=trajectory_pb2.VERIFIER_MATH)
    assert verify_answer(prompt, given).correct is right


@pytest.fixture(scope="module")
def strict_sandbox() -> Iterator[Sandbox]:
    sandbox = Sandbox(check_seconds=0.7)
    yield sandbox
    sandbox.close()


@pytest.mark.parametrize("bomb", ["$9^{9^{9}}$", r"$\sum_{k=1}^{10^{9}} \sin(k)^k$"])
def test_bombs_are_killed_counted_and_survived(strict_sandbox, bomb):
    before = strict_sandbox.killed
    with pytest.raises(MathFailure, match=r"killed|memory"):
        strict_sandbox.equal("$10^{10}+1$", bomb)
    assert strict_sandbox.killed == before + 1
    assert strict_sandbox.equal("$x^2-1$", "$(x-1)(x+1)$")


MEMORY_BOMB = """
import math_verify
from reward.correctness import sandbox_server as server
math_verify.parse = lambda text, **options: bytearray(2 << 30)
print(server._in_child("1", "1", 5.0, 1 << 30))
"""


def test_memory_bombs_end_at_the_limit():
    command = [sys.executable, "-c", MEMORY_BOMB]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert done.stdout.split("\n")[0].startswith("out of memory"), done.stderr


def test_a_dead_server_is_replaced(strict_sandbox):
    assert strict_sandbox.equal("$2$", "$1+1$")
    os.kill(strict_sandbox._server.pid, signal.SIGKILL)
    strict_sandbox._server.wait()
    assert strict_sandbox.equal("$2$", "$1+1$")


def test_a_stopped_server_is_killed_and_replaced(strict_sandbox):
    assert strict_sandbox.equal("$2$", "$1+1$")
    stopped = strict_sandbox._server.pid
    os.kill(stopped, signal.SIGSTOP)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(MathFailure, match="nothing came"):
        patch.setattr("reward.correctness.sandbox.WALL_PER_CPU", 1.0)
        strict_sandbox.equal("$2$", "$1+1$")
    assert strict_sandbox.equal("$2$", "$1+1$")
    assert strict_sandbox._server.pid != stopped


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
