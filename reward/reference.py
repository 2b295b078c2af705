"""A reference on its own verifier: right for itself, wrong for everything else that could be answered.

Where it is not, no model can be rewarded for the right answer, or each is for a wrong one.
"""

from __future__ import annotations

from earwitness.errors import shown
from earwitness.manifest import VERIFIERS
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.correctness import canonical, unwrap, verify_answer
from reward.correctness.polar import OPPOSITE
from reward.correctness.unwrap import clean

_NAMES = {value: name for name, value in VERIFIERS.items()}
_WITH_HELP = (trajectory_pb2.VERIFIER_JUDGE, trajectory_pb2.VERIFIER_MATH)
"""Verifiers that ask a language model or start processes: too much for each line of a manifest."""


def reference_problem(prompt: trajectory_pb2.Prompt) -> str | None:
    """What is wrong with the reference, for people; None: nothing that its verifier can tell without help."""
    verifier = _NAMES[prompt.verifier]
    if prompt.verifier in _WITH_HELP:
        return None if canonical(unwrap(prompt.answer)) else f"{shown(prompt.answer)} says nothing to {verifier}"
    if not _is_right(prompt, prompt.answer):
        return f"{shown(prompt.answer)} is not right by its own verifier {verifier}"
    opposite = OPPOSITE.get(prompt.answer.casefold()) if prompt.verifier == trajectory_pb2.VERIFIER_POLAR else None
    others = [choice for choice in prompt.choices if choice != prompt.answer] + ([opposite] if opposite else [])
    for other in others:
        if _is_right(prompt, other):
            same = "reads the same as" if clean(other) == clean(prompt.answer) else "counts as right beside"
            return f"{shown(other)} {same} {shown(prompt.answer)} by the verifier {verifier}"
    return None


def _is_right(prompt: trajectory_pb2.Prompt, answer: str) -> bool:
    return verify_answer(prompt, answer).correct
