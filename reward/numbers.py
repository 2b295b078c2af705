"""Numbers in words and figures: "twenty-one", "1,200.5", "3/4", "2 1/2", "two thirds", "12 %", "a dozen"."""

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
PARTS = {
    "half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10,
}  # fmt: skip
"""Denominators in words; all but the first two also in the plural."""
WORD = r"(?:" + "|".join([*SMALL, *TENS, *SCALES]) + r")"
"""Pattern of one number word."""
FIGURES = r"[-+−]?(?:\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(?:\.\d{1,15})?"
"""Pattern of one number in figures; bounded, so that a wall of digits costs linear time."""

RELATIVE_TOLERANCE = 1e-4
"""Two numeric answers are equal within this share: 33.33 % is 0.3333 and not 0.334."""

_PART = r"(?:" + "|".join(PARTS) + r")s?"
_NUMBER = re.compile(
    rf"(?<![\w.])(?P<figures>{FIGURES})(?:\s+(?P<above>\d{{1,3}})(?=\s?/\s?\d))?(?:\s?/\s?(?P<below>\d{{1,15}}))?"
    rf"(?:\s?(?P<percent>%|percent\b|per cent\b)|\s(?P<scale>thousand|million)\b)?"
    rf"|\b(?:(?P<words>{WORD}(?:(?:[\s-]+|\s+and\s+){WORD}){{0,7}})\s+and\s+)?"
    rf"(?:an?|(?P<parts>one|two|three|four|five|six|seven|eight|nine))[\s-](?P<part>{_PART})\b"
    rf"|\b(?P<plain>{WORD}(?:(?:[\s-]+|\s+and\s+){WORD}){{0,7}})\b(?:\s+(?P<wordpercent>percent|per cent)\b)?"
    r"|\b(?:an?|one)\s(?P<dozen>dozen)\b",
    re.IGNORECASE,
)
_NOT = re.compile(rf"\b(?:not|rather than|instead of)\s+(?:{FIGURES}|{WORD})", re.IGNORECASE)


def same_number(expected: str, given: str) -> bool:
    """True if `given` holds exactly one distinct number and it equals that of `expected`.

    If only one of the two has a percent sign, "50 %" is 0.5 and 50: questions for a share leave that open.
    """
    want, have = single_number(expected), single_number(given)
    if want is None or have is None:
        return False
    lenient = _is_percent(expected) != _is_percent(given)
    return any(
        math.isclose(want * factor, have, rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-9)
        for factor in ((1.0, 0.01 if _is_percent(given) else 100.0) if lenient else (1.0,))
    )


def single_number(text: str) -> float | None:
    """The one number `text` names, or None if it names none or several different ones; "not 73" names none."""
    text = _NOT.sub(" ", text)
    if text.count("=") == 1:
        text = text.partition("=")[2]
    values = {_value(match) for match in _NUMBER.finditer(text)} - {None}
    return values.pop() if len(values) == 1 else None


def _is_percent(text: str) -> bool:
    return any(match["percent"] or match["wordpercent"] for match in _NUMBER.finditer(text))


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
    if match["dozen"]:
        return 12.0
    if match["part"]:
        part = match["part"].casefold()
        share = SMALL.get((match["parts"] or "one").casefold(), 1) / (PARTS.get(part) or PARTS[part.removesuffix("s")])
        whole = words_value(match["words"]) if match["words"] else 0
        return None if whole is None else whole + share
    if match["plain"]:
        value = words_value(match["plain"])
        if value is None:
            return None
        return value / 100 if match["wordpercent"] else float(value)
    number = figures_value(match["figures"])
    if match["below"]:
        below = int(match["below"])
        if below == 0:
            return None
        if match["above"]:
            number += math.copysign(int(match["above"]) / below, number)
        else:
            number = float(Fraction(number) / below)
    if match["scale"]:
        number *= SCALES[match["scale"].casefold()]
    return number / 100 if match["percent"] else number
