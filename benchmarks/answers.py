"""How often is a wrong answer counted right, and a right one wrong? Over hostile answers made by rules.

python -m benchmarks.answers [--show] [--math]

Each rule frames a reference, or something that only looks like it, the way models write answers: letters and texts
that agree or not, denials, corrections, larger tokens around the reference, other scripts, LaTeX. A false right
teaches a wrong answer; a false wrong only wastes one.
"""

from __future__ import annotations

import argparse
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.answers_given import (
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
from earwitness.manifest import VERIFIERS
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.correctness import verify_answer


@dataclass(frozen=True)
class Case:
    """One answer, and what it is worth."""

    prompt: trajectory_pb2.Prompt
    given: str
    right: bool


def cases(math: bool) -> Iterator[Case]:
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
    if math:
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


def main() -> None:
    """Prints a table by verifier."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", action="store_true", help="print each answer that is misread")
    parser.add_argument("--math", action="store_true", help="also expressions, in processes of their own")
    arguments = parser.parse_args()
    seen: Counter[tuple[str, bool]] = Counter()
    misread: Counter[tuple[str, bool]] = Counter()
    names = {value: name for name, value in VERIFIERS.items()}
    for case in cases(arguments.math):
        key = (names[case.prompt.verifier], case.right)
        seen[key] += 1
        if verify_answer(case.prompt, case.given).correct != case.right:
            misread[key] += 1
            if arguments.show:
                print(f"{key[0]}: {case.given!r} for {case.prompt.answer!r} is {'right' if case.right else 'wrong'}")
    print(f"{'verifier':10} {'false right':>18} {'false wrong':>18}")
    for name in sorted({name for name, _ in seen}):
        rates = (f"{misread[name, right]} of {seen[name, right]}" for right in (False, True))
        print(f"{name:10} " + " ".join(f"{rate:>18}" for rate in rates))


if __name__ == "__main__":
    main()
