"""Expressions, and the processes that compare them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.correctness import verify_answer
from reward.correctness.sandbox import MathFailure, Sandbox


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
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
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
