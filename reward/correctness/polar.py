"""Answers with two sides: yes or no, true or false, valid or invalid, each also by negation of the other."""

from __future__ import annotations

import re

POSITIVE_NEGATIVE = (("yes", "no"), ("true", "false"), ("valid", "invalid"), ("correct", "incorrect"))
"""Pairs of answers; a question expects one pair and is answered in it, except that yes and true are the same."""
_YES_NO = ("yes", "no")
_SAME = {"true": "yes", "false": "no", "yeah": "yes", "yep": "yes", "nope": "no", "nah": "no"}
_OPPOSITE = {word: other for pair in POSITIVE_NEGATIVE for word, other in (pair, pair[::-1])}
_NEGATIONS = frozenset({"not", "never", "neither", "nor", "hardly", "cannot"})
_NEGATION_REACH = 3
"""Words between a negation and what it negates: "is not in fact valid"."""
_MANY = 400
"""Words that are read: an answer is a sentence or two."""
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|[^\w\s]")


def polar_answer(text: str, expected: str) -> str | None:
    """The side that `text` takes in the pair of `expected` ("yes" also for "true"), or None if none or both.

    "not valid" is invalid, "not invalid" is valid. A leading yes or no decides, what follows explains it; elsewhere
    "no" counts only where it stands alone ("the answer is no"), not as in "no way back".
    """
    wanted = _side(expected.casefold().strip())
    if wanted is None:
        return None
    words = _WORD.findall(text.casefold().replace("’", "'"))[:_MANY]
    taken = [_side_at(words, position) for position in range(len(words))]
    sides = {side for side in taken if side in (wanted, _OPPOSITE[wanted])}
    if wanted in _YES_NO and words and words[0] in _YES_NO:
        # What follows explains: "Yes, it is not true that". Only a plain yes or no can take it back.
        sides = {word for index, word in enumerate(words) if word in _YES_NO and _stands_alone(words, index)}
    return sides.pop() if len(sides) == 1 else None


def _side_at(words: list[str], position: int) -> str | None:
    """The side that the word at `position` takes, turned by the negations before it."""
    side = _side(words[position])
    if side is None or not _stands_alone(words, position):
        return None
    negated = _negations(words[max(0, position - _NEGATION_REACH) : position]) % 2
    return _OPPOSITE[side] if negated else side


def _stands_alone(words: list[str], position: int) -> bool:
    """False for the "no" of "no way back"; a "no" that begins an answer always stands alone."""
    following = words[position + 1] if position + 1 < len(words) else "."
    return words[position] != "no" or position == 0 or following == "or" or not following.isalpha()


def _side(word: str) -> str | None:
    word = _SAME.get(word, word)
    return word if word in _OPPOSITE else None


def _negations(words: list[str]) -> int:
    """Negations in the last words of a clause."""
    count = 0
    for word in words:
        if word in (",", ";", ".", ":", "but"):
            count = 0
        elif word in _NEGATIONS or word.endswith("n't"):
            count += 1
    return count
