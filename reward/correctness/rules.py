"""The rule of each verifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from earwitness.errors import InfrastructureError
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.correctness.choice import chosen_index
from reward.correctness.denial import GUESS, QUESTION
from reward.correctness.expressions import same_expression
from reward.correctness.polar import polar_answer
from reward.correctness.unwrap import canonical, clean, same_text, unwrap
from reward.numbers import same_number, single_number


class Judge(Protocol):
    """Somebody who can tell whether a free answer means the same as the reference."""

    def agrees(self, question: str, reference: str, answer: str) -> bool:
        """Raises InfrastructureError if no verdict was to be had."""


@dataclass(frozen=True)
class Verified:
    """Whether the answer is right, and the answer as it was understood."""

    correct: bool
    answer: str


def verify_answer(prompt: trajectory_pb2.Prompt, answer: str | None, judge: Judge | None = None) -> Verified:
    """Verifies `answer` (what follows the think block) against the prompt's reference by its verifier.

    Raises ValueError if the prompt has no verifier: that is a mistake of the caller, not a wrong answer. Raises
    InfrastructureError if a verifier of its own process or a judge gave no verdict: that is no wrong answer either.
    """
    if answer is None or (_is_open(clean(answer)) and not _is_of_prompt(prompt, answer)):
        return Verified(False, clean(answer or ""))
    if prompt.verifier == trajectory_pb2.VERIFIER_CHOICE:
        index = chosen_index(answer, prompt.choices)
        if index is None:
            return Verified(False, unwrap(answer))
        named = prompt.choices[index]
        return Verified(clean(named) == clean(prompt.answer), canonical(named))
    bare, understood = unwrap(answer), read_answer(prompt, answer)
    match prompt.verifier:
        case trajectory_pb2.VERIFIER_TEXT:
            return Verified(bool(understood) and same_text(prompt.answer, understood), understood)
        case trajectory_pb2.VERIFIER_NUMBER:
            return Verified(same_number(prompt.answer, bare), understood)
        case trajectory_pb2.VERIFIER_POLAR:
            said = polar_answer(bare, prompt.answer)
            return Verified(said is not None and said == polar_answer(prompt.answer, prompt.answer), understood)
        case trajectory_pb2.VERIFIER_MATH:
            return Verified(same_expression(prompt.answer, bare), understood)
        case _:
            return Verified(_judged(prompt, bare, judge), understood)


def _is_open(answer: str) -> bool:
    """Whether it leaves open what it means."""
    return bool(QUESTION.search(answer) or GUESS.search(answer))


def _is_of_prompt(prompt: trajectory_pb2.Prompt, answer: str) -> bool:
    """Whether an open answer is one of those the prompt knows: "What did he say?" """
    return clean(answer) in map(clean, (prompt.answer, *prompt.choices))


def read_answer(prompt: trajectory_pb2.Prompt, answer: str) -> str:
    """`answer` as the prompt's verifier understands it: the text of a choice, a number, a side, or plain text.

    Raises ValueError if the prompt has no verifier.
    """
    bare = unwrap(answer)
    match prompt.verifier:
        case trajectory_pb2.VERIFIER_CHOICE:
            index = chosen_index(answer, prompt.choices)
            return bare if index is None else canonical(prompt.choices[index])
        case trajectory_pb2.VERIFIER_NUMBER:
            value = single_number(bare)
            return bare if value is None else f"{value:g}"
        case trajectory_pb2.VERIFIER_POLAR:
            return polar_answer(bare, prompt.answer) or bare
        case trajectory_pb2.VERIFIER_MATH:
            return bare
        case trajectory_pb2.VERIFIER_TEXT | trajectory_pb2.VERIFIER_JUDGE:
            return canonical(bare)
    raise ValueError(f"prompt {prompt.id!r} has no verifier; expected one of the values of Verifier")


def _judged(prompt: trajectory_pb2.Prompt, bare: str, judge: Judge | None) -> bool:
    if not canonical(bare):
        return False
    if canonical(bare) == canonical(prompt.answer):
        return True  # the same words need no judge
    if judge is None:
        raise InfrastructureError("a judge", 0.0, "the reward worker has none (EW_JUDGE_URL is not set)")
    return judge.agrees(prompt.question, prompt.answer, bare)
