"""Is the final answer right? One strict rule per verifier; wrappers around the answer are taken off first."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.numbers import same_number, single_number

MAX_ANSWER_CHARS = 2_000
"""A final answer is a line or two; what is longer is not one."""

_WRAPPERS = (
    re.compile(r"^<answer>(.*?)(?:</answer>)?$", re.IGNORECASE | re.DOTALL),
    re.compile(r"^\$?\\boxed\{(.*)\}\$?$", re.DOTALL),
    re.compile(r"^\\text\{(.*)\}$", re.DOTALL),
    re.compile(
        r"^(?:so|thus|therefore|hence)?,?\s*(?:the |my )?(?:final |correct |right |best )?(?:answer|choice|option)"
        r"(?: is| would be| must be)?\s*[:=]?\s+(.+)$",
        re.IGNORECASE | re.DOTALL,
    ),
    re.compile(r"^(?:final )?answer\s*[:=]\s*(.+)$", re.IGNORECASE | re.DOTALL),
    re.compile(r"^(?:it is|it's|it was|that is|i (?:choose|pick|select|say))\s*:?\s+(.+)$", re.IGNORECASE | re.DOTALL),
)
_EDGES = " \t\r\n.,;:!?\"'`*_“”‘’«»"
_LETTER = re.compile(r"^[(\[]?([A-Za-z])[)\]]?\s*[.):,]?$")
_LETTER_TEXT = re.compile(r"^[(\[]?([A-Za-z])(?:[)\]]\s*[.:,-]?\s*|\s*[.:]\s*|\s+-\s+)(\S.*)$", re.DOTALL)
_NEGATED = re.compile(r"\b(?:not|isn't|never|neither|nor|rather than|instead of|except)\b", re.IGNORECASE)
_ARTICLE = re.compile(r"^(?:the|a|an) ")
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True)
class Verified:
    """Whether the answer is right, and the answer as it was understood."""

    correct: bool
    answer: str


def verify_answer(prompt: trajectory_pb2.Prompt, answer: str | None) -> Verified:
    """Verifies `answer` (what follows the think block) against the prompt's reference by its verifier.

    Raises ValueError if the prompt has no verifier: that is a mistake of the caller, not a wrong answer.
    """
    if answer is None:
        return Verified(False, "")
    bare = unwrap(answer)
    if prompt.verifier == trajectory_pb2.VERIFIER_CHOICE:
        chosen = chosen_text(bare, list(prompt.choices))
        return Verified(chosen is not None and chosen == canonical(prompt.answer), chosen or bare)
    if prompt.verifier == trajectory_pb2.VERIFIER_NUMBER:
        given = single_number(bare)
        return Verified(same_number(prompt.answer, bare), bare if given is None else f"{given:g}")
    if prompt.verifier == trajectory_pb2.VERIFIER_TEXT:
        return Verified(bool(canonical(bare)) and canonical(bare) == canonical(prompt.answer), canonical(bare))
    raise ValueError(f"prompt {prompt.id!r} has no verifier; expected choice, number or text")


def unwrap(answer: str) -> str:
    """`answer` without tags, boxes, markdown, and "the answer is"."""
    text = unicodedata.normalize("NFKC", answer[:MAX_ANSWER_CHARS]).strip(_EDGES)
    for _ in range(len(_WRAPPERS)):
        for wrapper in _WRAPPERS:
            match = wrapper.match(text)
            if match:
                text = match.group(1).strip(_EDGES)
                break
        else:
            break
    return text


def canonical(text: str) -> str:
    """`text` for comparison: NFKC, case-folded, single spaces, no edge punctuation, no leading article."""
    folded = unicodedata.normalize("NFKC", text).casefold().strip(_EDGES)
    return _ARTICLE.sub("", _SPACES.sub(" ", folded))


def chosen_text(bare: str, choices: list[str]) -> str | None:
    """The canonical text of the one choice that `bare` names, or None if it names none or several.

    Accepts the text, the letter, or both if they agree; also a sentence that contains exactly one of the choices,
    unless the sentence negates. Choices with equal text count as one, whatever their letters.
    """
    texts = [canonical(choice) for choice in choices]
    given = canonical(bare)
    if not given:
        return None
    if given in texts:
        return given
    letter = _LETTER.match(bare)
    if letter:
        return _by_letter(letter.group(1), texts)
    both = _LETTER_TEXT.match(bare)
    if both:
        named = _by_letter(both.group(1), texts)
        said = chosen_text(both.group(2), choices)
        return named if named is not None and said == named else None
    if _NEGATED.search(given):
        return None
    found = _contained(given, texts)
    return found.pop() if len(found) == 1 else None


def _by_letter(letter: str, texts: list[str]) -> str | None:
    index = ord(letter.upper()) - ord("A")
    return texts[index] if 0 <= index < len(texts) else None


def _contained(given: str, texts: list[str]) -> set[str]:
    """Choices found in `given` as whole words, each match taken out before shorter choices are looked for."""
    found = set()
    rest = given
    for text in sorted(set(texts), key=len, reverse=True):
        pattern = rf"(?<!\w){re.escape(text)}(?!\w)"
        if text and re.search(pattern, rest):
            found.add(text)
            rest = re.sub(pattern, " ", rest)
    return found
