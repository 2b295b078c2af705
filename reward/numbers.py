"""Numbers in words and figures: "twenty-one", "1,200.5", "3/4", "12 %", "a dozen"."""

from __future__ import annotations

import math
import re
from fractions import Fraction

SMALL = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000}
WORD = r"(?:" + "|".join([*SMALL, *TENS, *SCALES]) + r")"
"""Pattern of one number word."""
FIGURES = r"[-+−]?(?:\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(?:\.\d{1,15})?"
"""Pattern of one number in figures; bounded, so that a wall of digits costs linear time."""

RELATIVE_TOLERANCE = 1e-4
"""Two numeric answers are equal within this share: 33.33 % is 0.3333 and not 0.334."""

_NUMBER = re.compile(
    rf"(?<![\w.])(?P<figures>{FIGURES})(?:\s*/\s*(?P<below>\d{{1,15}}))?\s*(?P<percent>%|percent\b|per cent\b)?"
    rf"|\b(?P<words>{WORD}(?:(?:[\s-]+|\s+and\s+){WORD}){{0,7}})\b(?:\s+(?P<wordpercent>percent|per cent)\b)?",
    re.IGNORECASE,
)
_NOT = re.compile(rf"\b(?:not|rather than|instead of)\s+(?:{FIGURES}|{WORD})", re.IGNORECASE)


def same_number(expected: str, given: str) -> bool:
    """True if `given` holds exactly one distinct number and it equals that of `expected`."""
    want, have = single_number(expected), single_number(given)
    return want is not None and have is not None and math.isclose(want, have, rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-9)


def single_number(text: str) -> float | None:
    """The one number `text` names, or None if it names none or several different ones; "not 73" names none."""
    text = _NOT.sub(" ", text)
    if text.count("=") == 1:
        text = text.partition("=")[2]
    values = {_value(match) for match in _NUMBER.finditer(text)} - {None}
    return values.pop() if len(values) == 1 else None


def words_value(words: str) -> int | None:
    """Value of number words ("two hundred and five"), or None if they do not form one."""
    total, current = 0, 0
    room = 100  # what may still be added: anything below 100 at first, units after tens, nothing after units
    for word in re.split(r"[\s-]+", words.casefold()):
        if word == "and":
            continue
        if word in SCALES:
            if SCALES[word] == 100:
                current = max(current, 1) * 100
            else:
                total, current = total + max(current, 1) * SCALES[word], 0
            room = 100
            continue
        value = SMALL.get(word, TENS.get(word))
        if value is None or value >= room:
            return None
        current += value
        room = 10 if value >= 20 else 0
    return total + current


def figures_value(figures: str) -> float:
    """Value of a number in figures, with its thousands commas and any minus sign."""
    return float(figures.replace(",", "").replace("−", "-"))


def _value(match: re.Match[str]) -> float | None:
    if match["words"]:
        value = words_value(match["words"])
        if value is None:
            return None
        return value / 100 if match["wordpercent"] else float(value)
    number = figures_value(match["figures"])
    if match["below"]:
        if int(match["below"]) == 0:
            return None
        number = float(Fraction(number) / int(match["below"]))
    return number / 100 if match["percent"] else number
