"""Numbers in words: "four hundred and forty", "one point five", "two and a half", "a dozen", "half a second"."""

from __future__ import annotations

from reward.numbers import SCALES, SMALL, TENS, words_value
from reward.parse.words import Item

MAX_WORDS = 8
"""Of one number: "nine hundred and ninety nine thousand"."""
_DIGITS = frozenset(word for word, value in SMALL.items() if value < 10)
_WHOLE = frozenset({*SMALL, *TENS, *SCALES})
_SHARES = {"half": 0.5, "quarter": 0.25, "third": 1 / 3, "fifth": 0.2, "tenth": 0.1}
_SEVERAL = {f"{word}s": share for word, share in _SHARES.items() if word != "half"}
_GROUPS = {"pair": 2.0, "trio": 3.0, "dozen": 12.0}
_TIMES = {
    tuple(words.split()): seconds
    for words, seconds in {
        "half a second": 0.5, "half of a second": 0.5, "a half second": 0.5, "a quarter second": 0.25,
        "a quarter of a second": 0.25, "a third of a second": 0.33, "a tenth of a second": 0.1,
        "a fifth of a second": 0.2, "a second and a half": 1.5,
    }.items()
}  # fmt: skip
_BEYOND, _LASTS = frozenset({"than", "over", "under"}), frozenset({"for", "lasts", "about", "roughly"})
_END: tuple[list[str], ...] = ([], [","], ["and"], ["then"], ["before"], [")"], ["or"], ["between"])
"""After "for a second": else it is "for a second time"."""


def number_at(tokens: list[Item], position: int) -> tuple[float, int]:
    """The number whose first word is at `position`, and the position of its last word."""
    value, length = _whole_at([token.word for token in tokens[position : position + MAX_WORDS]])
    if not length:  # figures, "twice"
        value, length = tokens[position].number or 0.0, 1
    last = position + length - 1
    words = [token.word for token in tokens[last + 1 : last + 5]]
    if words[:1] == ["point"] and words[1:2] and words[1] in _DIGITS:
        shift = 0.1
        for word in words[1:]:
            if word not in _DIGITS:
                break
            value, last, shift = value + SMALL[word] * shift, last + 1, shift / 10
        return round(value, 6), last + 1
    if words[:2] == ["and", "a"] and words[2:3] and words[2] in _SHARES and words[3:4] != ["of"]:
        return value + _SHARES[words[2]], last + 3  # "two and a half seconds"
    hyphen = words[:1] == ["-"]
    if (share := _SEVERAL.get("".join(words[hyphen : hyphen + 1]))) and words[hyphen + 1 : hyphen + 3] == ["of", "a"]:
        return value * share, last + hyphen + 3  # "three quarters of a second": the unit follows
    return value, last


def _whole_at(words: list[str]) -> tuple[float, int]:
    """The whole number that `words` begin with, and how many of them it takes; (0, 0) if they begin with none."""
    value, length = 0.0, 0
    for index, word in enumerate(words):
        if word not in _WHOLE and (not index or word not in ("and", "-")):
            break
        if word not in _WHOLE:
            continue
        said = [word for word in words[: index + 1] if word != "-"]
        joined = "and" in said and SCALES.keys().isdisjoint(said[: said.index("and")])
        whole = None if joined else words_value(" ".join(said))  # "two and three" are two numbers
        if whole is None:
            break
        value, length = float(whole), index + 1
    return value, length


def phrase_at(tokens: list[Item], position: int) -> tuple[Item, int] | None:
    """The number of "half a second", "a second of silence", "a dozen", and the position after it; None if there is none
    at `position`."""
    words = [token.word for token in tokens[position : position + 5]]
    before = tokens[position - 1].word if position else ""
    unit = "s"
    length = next((n for n in range(len(words), 2, -1) if tuple(words[:n]) in _TIMES), 0)
    if length:
        number = _TIMES[tuple(words[:length])]
    elif words[:1] == ["half"] and words[1:3] == ["a", "dozen"]:
        number, length, unit = 6.0, 3, ""
    elif words[1:2] and words[1] in _GROUPS and (words[1] == "dozen" or words[2:3] == ["of"]):
        number, length, unit = _GROUPS[words[1]], 2 + (words[1] != "dozen"), ""
    elif words[1:2] == ["hundred"]:
        number, length = _whole_at(["one", *(token.word for token in tokens[position + 1 : position + MAX_WORDS])])
        unit = ""
    elif words[:3] == ["a", "second", "of"] and words[3:4] in (["silence"], ["pause"], ["quiet"]):
        number, length = 1.0, 2
    elif words[:2] == ["a", "second"] and (before in _BEYOND or (before in _LASTS and words[2:3] in _END)):
        number, length = 1.0, 2  # "less than a second", "for a second, ..."
    else:
        return None
    item = Item(words[0], tokens[position].start, tokens[position + length - 1].end, None, number, unit)
    return item, position + length
