"""Does the final answer follow from the trace: is the trace's own conclusion the answer that was given?"""

from __future__ import annotations

import re

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.correctness import canonical, read_answer
from reward.correctness.polar import polar_answer
from reward.numbers import SMALL, single_number

MAX_CONCLUSION_CHARS = 2_000
"""A conclusion stands at the end of the trace."""

_SEGMENT = re.compile(
    r"(?<!\d)[.!?;\n]+|[.!?;\n]+(?!\d)|\b(?:so|therefore|thus|hence|consequently|which means|meaning)\b|=>|→",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+(?:'\w+)?")
_FILLER = frozenset({"the", "a", "an", "it", "is", "are", "its", "one", "wave", "tone", "sound"})
_SAME = {
    "climb": "rise", "ascend": "rise", "rising": "rise", "rises": "rise", "up": "up",
    "descend": "fall", "drop": "fall", "sink": "fall", "fell": "fall", "decline": "fall",
    "constant": "level", "flat": "level", "stable": "level", "unchanged": "level",
    "faster": "speed", "quicken": "speed", "accelerate": "speed",
    "slower": "slow", "decelerate": "slow",
    "saw": "sawtooth", "1st": "first", "2nd": "second", "former": "first", "latter": "second",
    "even": "regular", "uneven": "irregular", "sinusoid": "sine", "noisy": "noise",
    "keep": "stay", "remain": "stay", "hold": "stay", "steady": "level",
}  # fmt: skip
_DIGIT = {word: str(value) for word, value in SMALL.items()}


def is_coherent(prompt: trajectory_pb2.Prompt, reasoning: str | None, answer: str | None) -> bool:
    """True if the last conclusion of `reasoning` is the answer given, right or wrong.

    A trace that reaches no conclusion about the answer is not coherent: nothing follows from it.
    """
    if not reasoning or not answer:
        return False
    given = read_answer(prompt, answer)
    segments = [part for part in _SEGMENT.split(reasoning[-MAX_CONCLUSION_CHARS:]) if part and part.strip()]
    for segment in reversed(segments):
        if prompt.verifier == trajectory_pb2.VERIFIER_CHOICE:
            said = _named_choice(segment, list(prompt.choices))
            if said is not None:
                return said == given
        elif prompt.verifier == trajectory_pb2.VERIFIER_NUMBER:
            value = single_number(segment)
            if value is not None:
                return value == single_number(given)
        elif prompt.verifier == trajectory_pb2.VERIFIER_POLAR:
            side = polar_answer(segment, prompt.answer)
            if side is not None:
                return side == given
        elif given and re.search(rf"(?<!\w){re.escape(canonical(given))}(?!\w)", canonical(segment)):
            return True
    return False


def _named_choice(segment: str, choices: list[str]) -> str | None:
    """Canonical text of the choice that `segment` names first, longer choices before the shorter ones they contain."""
    words = _stems(segment)
    best: tuple[int, int, str] | None = None
    for choice in choices:
        wanted = [stem for stem in _stems(choice) if stem not in _FILLER] or _stems(choice)
        position = _find(words, wanted)
        if position >= 0:
            rank = (position, -len(wanted), canonical(choice))
            best = rank if best is None or rank < best else best
    return best[2] if best else None


def _find(words: list[str], wanted: list[str]) -> int:
    if not wanted:
        return -1
    for start in range(len(words) - len(wanted) + 1):
        if words[start : start + len(wanted)] == wanted:
            return start
    return -1


def _stems(text: str) -> list[str]:
    return [_stem(word) for word in _WORD.findall(canonical(text))]


def _stem(word: str) -> str:
    word = _SAME.get(_DIGIT.get(word, word), _DIGIT.get(word, word))
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending)
            break
    word = _SAME.get(word, word)
    return word.removesuffix("e") if len(word) > 3 else word
