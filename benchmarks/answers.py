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

from earwitness.manifest import VERIFIERS
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.correctness import verify_answer

CHOICES = (
    ("cat", "dog", "bird"),
    ("a violin", "a flute", "a drum", "a horn"),
    ("rising pitch", "falling pitch"),
    ("verse", "chorus", "bridge"),
    ("left", "right", "centre"),
    ("slow", "fast"),
    ("man", "woman", "child"),
)
AFFIRMED = (
    "The clip contains {x}",
    "very clearly {x}",
    "quite {x}",
    "some {x}",
    "I can hear {x} clearly",
    "I hear {x}.",
    "This must be {x}, since it fits.",
    "Most likely {x}.",
    "I believe {x}",
    "clearly {x}",
    "{x}",
    "{X}.",
    "**{x}**",
    "`{x}`",
    '"{x}"',
    "The answer is {x}.",
    "Answer: {x}",
    "It is {x}.",
    "I think it is {x}.",
    r"\boxed{{{x}}}",
    r"$\boxed{{\text{{{x}}}}}$",
    r"\[\boxed{{{x}}}\]",
    "<answer>{x}</answer>",
    "{l}",
    "({l})",
    "{l}.",
    "{l}) {x}",
    "{l}. {x}",
    "({l}) {x}",
    "{l}: {x}",
    "{l} - {x}",
    "{l} — {x}",
    "Option {l}",
    "答案：{l}",
    "答案是{l}。",
    "选{l}",
    "The answer is {l}. Note that {o} is a common distractor.",
    "{l}. It is loud and clear.",
    "({l}) because it is sharp",
    "{l}, because the sound decays.",
    "{x} because it is loud",
    r"\boxed{{\textbf{{({l})}}}}",
    "\u200b{l}",
    "\ufeff{x}",
    "**Answer:** {l}",
    "The correct option is {l}.",
    "My final answer is ({l}) {x}",
)
DENIED = (
    "It used to be {x}",
    "formerly {x}",
    "no longer {x}",
    "I thought it was {x}",
    "It could have been {x}",
    "It was {x} at first",
    "I expected {x}",
    "My first guess was {x}",
    "seemingly {x}",
    "It seems {x} but is not",
    "Something resembling {x}",
    "not {x}",
    "It isn't {x}",
    "It isn’t {x}",
    "It is definitely not {x}",
    "It can't be {x}",
    "It doesn't sound like {x}",
    "It wasn't {x}",
    "There is no {x}",
    "Anything but {x}",
    "Unlikely to be {x}",
    "Hardly {x}",
    "Neither {x} nor anything",
    "I would rule out {x}",
    "{x} is wrong",
    "{x} is incorrect",
    "Not {l}",
    "{l} is wrong",
    "{l} is not the answer",
    "It could be {x} or {y}",
    "{l} or {o}",
    "{x} and {y}",
    "{l}. {y}",
    "{o}. {x}",
    "{o} - {x}",
    "{o} — {x}",
    "{o} -> {x}",
    "Option {o}, {x}",
    "({o}) {x}",
    "{x}? No, {y}",
    "{l}. Wait, no: {o}",
    "{l}. Actually, {o}",
    "{x}. Sorry, I meant {y}",
    "non-{x}",
    "pre-{x}",
    "{x}-like",
    "{x}ish",
    "{x}s or so",
    "Is it {x}?",
    "far from {x}",
    "something other than {x}",
    "rather {y} than {x}",
    "{y} instead of {x}",
    "It lacks {x}",
    "I doubt it is {x}",
    "It would be wrong to say {x}",
    "all except {x}",
    "everything besides {x}",
    "{x} is impossible",
    "if it were {x}",
    "{o}",
    "{y}",
    "",
    "I don't know",
    "It's the opposite of {x}",
    "不是{x}",
    "{l}{o}",
    "A B C",
    "any of them",
    "{l}/{o}",
    "{l}? No.",
    "{l}, no, {o}",
    "{l} - no, {o}",
    "It must be either {x} or something like it",
    "The answer is not {l}",
)
NUMBERS = (
    ("5", "five"),
    ("12", "twelve"),
    ("40", "forty"),
    ("3", "three"),
    ("2.5", "two and a half"),
    ("1500", "fifteen hundred"),
)
NUMBER_RIGHT = (
    "{n}",
    "{w}",
    "{n}.",
    "{n} beeps",
    "There are {w} beeps.",
    "x = {n}",
    "The answer is {n}",
    "**{n}**",
    r"\boxed{{{n}}}",
    "${n}$",
    "({n})",
    "about {n}",
    "+{n}",
    "{n} Hz",
    "{n}Hz",
    "I hear {w}!",
    "{n}, not 73",
    "{n}e0",
    "not 73 but {n}",
    "\u200b{n}",
)
NUMBER_WRONG = (
    "nearly {n}",
    "almost {w}",
    "no {n}",
    "barely {n}",
    "without {n}",
    "up to {n}",
    "{n} too many",
    "{n} fewer",
    "It used to be {n}",
    "{w} at first, then none",
    "-{n}",
    "- {n}",
    "–{n}",
    "−{n}",
    "minus {n}",
    "negative {w}",
    "minus {w}",
    "{n}e3",
    "{n}7",
    "1{n}",
    "√{n}",
    "{n}²",
    "{n}^2",
    "{n} squared",
    "twice {n}",
    "{n} or 77",
    "{n} to 77",
    "between {n} and 77",
    "more than {n}",
    "at least {n}",
    "not {n}",
    "It isn't {n}",
    "It isn’t {n}",
    "not exactly {n}",
    "never {n}",
    "{n} million",
    "{n} billion",
    "{n} thousand",
    "{n}k",
    "{n}x",
    "{n}/7",
    "{n} dozen",
    "{w} dozen",
    "77 rather than {n}",
    "{n} is wrong",
    "over {n}",
    "under {n}",
    "{n}? No, 77",
    "{n} + 1",
    "{n} - 1",
    "{n} * 2",
    "2 x {n}",
    "{n}-77",
    "{n},{n}",
    "no",
    "",
    "½ of {n}",
    "{n} hundred",
    "{n} and a half",
    "{n} 1/2",
    "minus about {n}",
    "x ≠ {n}",
    "x > {n}",
    "<{n}",
    "{n} times two",
    "10^{n}",
    "log {n}",
    "{n} trillion",
    "{n}!!",
    "1/{n}",
    "{w} thirds",
    "77, {w}",
    "{n}½",
    "#{n}-{n}",
    "a{n}",
    "MP{n}",
    "{n}th",
    "0x{n}",
)
POLAR = (("yes", "no"), ("no", "yes"), ("true", "false"), ("valid", "invalid"), ("invalid", "valid"))
POLAR_RIGHT = (
    "{x}",
    "{X}.",
    "The answer is {x}.",
    "It is {x}",
    "It is not {y}",
    "**{x}**",
    "{x}!",
    "I say {x}",
    "It isn't {y}.",
    "It isn’t {y}",
    r"\boxed{{{x}}}",
    "Certainly {x}",
    "<answer>{x}</answer>",
)
POLAR_WRONG = (
    "It seems {x} but is not",
    "It looks {x}, but it isn't",
    "It used to be {x}",
    "formerly {x}",
    "no longer {x}",
    "seemingly {x}",
    "It was {x} once",
    "{x}? I do not think so",
    "It was thought {x}",
    "{y}",
    "not {x}",
    "It isn't {x}",
    "It isn’t {x}",
    "far from {x}",
    "It is far from {x}",
    "non-{x}",
    "{x} or {y}",
    "Is it {x}?",
    "It would be wrong to say {x}",
    "unlikely to be {x}",
    "It fails to be {x}",
    "I doubt it is {x}",
    "if {x}",
    "",
    "whether it is {x}",
    "neither {x} nor {y}",
    "It is not the case that the whole of this is {x}",
    "never {x}",
    "{x}? {y}.",
    "anything but {x}",
    "It would be a mistake to call it {x} since it is {y}",
    "perhaps",
)
PAIRS = (
    ("choice", "dog", "hot dog|prairie dog|dog food|a toy dog|dog whistle|It is like a dog|a fake dog|a dog imitated"),
    ("choice", "horn", "shoe horn|fog horn|a horn toad"),
    ("choice", "5", "0.5 -5 5.5 5/4 5! 5% 5² √5 1.5 5,5 5e3 15 51 5th 1/5 +-5 x5"),
    ("choice", "C", "C# Cm C-sharp C+ C♯ C/G .C C'"),
    ("choice", "500 Hz", "1500|1,500 Hz|1 500 Hz|-500 Hz|0.500 Hz|minus 500 Hz|5 500 Hz"),
    ("choice", "Cm", "CM cm C# cM"),
    ("text", "x²", "x2 x^3 x x³ 2x"),
    ("text", ".5", "5 5. 0"),
    ("text", "5!", "5 5!! 120"),
    ("text", "f'", "f f'' F"),
)
MATH_RIGHT = (
    ("x^2", "x²"),
    ("x_1", "x₁"),
    ("2\\pi r", "2πr"),
    ("2\\sqrt{3}", "2√3"),
    ("12", "3·4"),
    ("12", "3×4"),
    ("120", "5!"),
    ("0.5", ".5"),
    ("0.5", "½"),
    ("-5", "–5"),
    ("1/3", "⅓"),
    ("x^2-1", "(x-1)(x+1)"),
    ("0.001", "1e-3"),
)
MATH_WRONG = (
    ("102", "10²"),
    ("5", "5!"),
    ("n", "n!"),
    ("f", "f'"),
    ("A", "a"),
    ("x", "x*"),
    ("x+1", "a x + 1"),
    ("5", "–5"),
    ("5", "minus five"),
    ("\\frac{1}{2004!}", "\\frac{1}{2006!}"),
    ("10^{-40}", "10^{-50}"),
    ("x", "X"),
    ("2x", "x²"),
    ("5", "√5"),
    ("3", "x^3"),
    ("\\infty", "-∞"),
    ("1/2", "2½"),
    ("x", "x'"),
    ("2^{-300}", "0"),
    ("(1,2)", "(2,1)"),
)


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
