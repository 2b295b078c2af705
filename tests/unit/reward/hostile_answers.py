"""Hostile answers, made by rules, each with what it is worth.

Each rule frames a reference, or something that only looks like it, the way models write answers: letters and texts
that agree or not, denials, corrections, larger tokens around the reference, other scripts, LaTeX. A false right
teaches a wrong answer; a false wrong only wastes one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from earwitness.manifest import VERIFIERS
from earwitness.wire.trajectory.v1 import trajectory_pb2
from tests.unit.reward.hostile_wordings import (
    AFFIRMED,
    CHOICES,
    DENIED,
    MATH_RIGHT,
    MATH_WRONG,
    NUMBER_RIGHT,
    NUMBER_WRONG,
    NUMBERS,
    PAIRS,
    POLAR,
    POLAR_RIGHT,
    POLAR_WRONG,
)


@dataclass(frozen=True)
class Case:
    """One answer, and what it is worth."""

    prompt: trajectory_pb2.Prompt
    given: str
    right: bool


def cases() -> Iterator[Case]:
    """Every rule on every reference."""
    for choices in CHOICES:
        for index, choice in enumerate(choices):
            other = (index + 1) % len(choices)
            words = {"x": choice, "X": choice.capitalize(), "y": choices[other], "l": "ABCD"[index], "o": "ABCD"[other]}
            yield from _framed("choice", choice, AFFIRMED, DENIED, words, choices)
    for figures, word in NUMBERS:
        yield from _framed("number", figures, NUMBER_RIGHT, NUMBER_WRONG, {"n": figures, "w": word})
    for side, opposite in POLAR:
        words = {"x": side, "X": side.capitalize(), "y": opposite}
        yield from _framed("polar", side, POLAR_RIGHT, POLAR_WRONG, words)
    for verifier, answer, wrong in PAIRS:
        choices = (answer, "none of them") if verifier == "choice" else ()
        for given in (answer, *wrong.split("|" if "|" in wrong else None)):
            yield Case(_prompt(verifier, answer, choices), given, given == answer)
    for right, pairs in ((True, MATH_RIGHT), (False, MATH_WRONG)):
        yield from (Case(_prompt("math", answer), given, right) for answer, given in pairs)


def _framed(
    verifier: str,
    answer: str,
    right: tuple[str, ...],
    wrong: tuple[str, ...],
    words: dict[str, str],
    choices: tuple[str, ...] = (),
) -> Iterator[Case]:
    for frame, is_right in itertools.chain(zip(right, itertools.repeat(True)), zip(wrong, itertools.repeat(False))):
        yield Case(_prompt(verifier, answer, choices), frame.format(**words), is_right)


def _prompt(verifier: str, answer: str, choices: tuple[str, ...] = ()) -> trajectory_pb2.Prompt:
    return trajectory_pb2.Prompt(id="case", answer=answer, choices=choices, verifier=VERIFIERS[verifier])
