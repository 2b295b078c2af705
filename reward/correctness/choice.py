"""Which one of the choices does an answer name?"""

from __future__ import annotations

import re

from reward.correctness.unwrap import canonical

_LETTER = re.compile(r"^[(\[]?([A-Za-z])[)\]]?\s*[.):,]?$")
_LETTER_TEXT = re.compile(r"^[(\[]?([A-Za-z])(?:[)\]]\s*[.:,-]?\s*|\s*[.:]\s*|\s+-\s+)(\S.*)$", re.DOTALL)
_NEGATED = re.compile(r"\b(?:not|isn't|never|neither|nor|rather than|instead of|except)\b", re.IGNORECASE)


def chosen_text(bare: str, choices: list[str]) -> str | None:
    """The canonical text of the one choice that `bare` names, or None if it names none or several.

    Accepts the text, the letter, or both if they agree; also a sentence that contains exactly one of the choices,
    unless the sentence negates. Choices with equal text count as one, whatever their letters. A choice within a longer
    one ("dog", "dog barking") is only named where it stands by itself.
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
