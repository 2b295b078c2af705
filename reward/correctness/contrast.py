"""What an answer rules out by name: "not A but B", "B rather than A", "A is wrong, so B", "unlike a cat".

An answer that denies something may mean anything, and names nothing. Here the denial itself names what it denies, so it
can be taken out, and what is left is read as if it had been said alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from reward.correctness.unwrap import RECENT, clean

_LONGEST = 80
"""Characters of a choice that is looked for: a longer one is no word of a contrast."""
_BE = r"(?:is|was|are|were)"
_SO = r"(?:[,;.]\s*(?:so|therefore|hence|thus|which leaves|leaving)?|\s+(?:so|therefore|hence|thus))\s*,?\s*"


def ruled_out(text: str, choices: Sequence[str], indices: Callable[[str], set[int]]) -> tuple[set[int], str] | None:
    """What `text` rules out by name, each name read by `indices`, and the rest of it; None if it rules nothing out."""
    out: set[int] = set()
    left = text
    for pattern in _patterns(tuple(choices)):
        while match := pattern.search(left):
            out |= indices(match["out"])
            left = (left[: match.start()] + " " + left[match.end() :]).strip()
    return (out, left) if left != text else None


def without_suppositions(text: str, choices: Sequence[str]) -> str:
    """`text` without what a choice would have done: "a cat would meow" says of no cat that it is there."""
    return re.sub(rf"{_some(tuple(choices))}\s+(?i:would(?:n't| not)?)\b", " ", text)


@lru_cache(maxsize=RECENT)
def _some(choices: tuple[str, ...]) -> str:
    """The pattern of one or several choices in a row, by text or letter."""
    texts = sorted({clean(choice) for choice in choices if choice.strip()}, key=len, reverse=True)
    named = "|".join(rf"(?i:{re.escape(text)})" for text in texts if len(text) <= _LONGEST and len(text) > 1)
    last = chr(ord("A") + min(len(choices), 26) - 1)
    one = rf"[(\[]?[A-{last}][)\]]?" + (f"|{named}" if named else "")
    one = rf"(?:(?i:an?|the|options?|choices?|letter)\s+)?(?:{one})(?!\w)"
    return rf"(?P<out>{one}(?:\s*(?:,\s*(?:or|nor|and)?|or|nor|and)\s+{one}){{0,8}})"


@lru_cache(maxsize=RECENT)
def _patterns(choices: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    some = _some(choices)
    it = r"(?:(?i:it|this|that|the answer|the sound)\s+)?"
    return tuple(
        re.compile(pattern)
        for pattern in (
            rf"^{it}(?:(?i:{_BE})\s+)?(?:(?i:it's)\s+)?(?i:not|neither)\s+{some}\s*,?\s*"
            rf"(?:(?i:but(?: rather| instead)?)\s+|[,;.]\s*(?i:it(?:'s| is| was))\s+)(?=\S)",
            rf"(?<!\s)\s{{0,3}}(?:(?:[,;(-]{{1,2}}\s{{0,3}})?(?i:rather than|instead of|as opposed to|unlike)"
            rf"|\(\s{{0,3}}(?i:not))\s+{some}\s*\)?(?=\s*[.,;]?\s*$|\s*[.,;]\s)",
            rf"^{some}\s+(?i:{_BE}|can be)\s+(?i:all )?"
            rf"(?i:wrong|incorrect|ruled out|out|eliminated|impossible|excluded){_SO}(?=\S)",
            rf"^{it}(?i:can't|cannot|can not|couldn't|isn't|is not|wasn't|was not)\s+(?:(?i:be)\s+)?{some}{_SO}(?=\S)",
            rf"^(?i:eliminating|excluding|ruling out)\s+{some}\s*,?\s*(?i:leaves|we get|gives)\s+",
        )
    )
