"""Numbers in words and figures: "twenty-one", "1,200.5", "3/4", "2 1/2", "two thirds", "12 %", "1.5e3", "√16", "5!".

A text names a number only if nothing is left that could change it: "5 or 6", "more than 5", "5 squared" name none.
"""

from __future__ import annotations

import math
import re
import unicodedata
from fractions import Fraction

SMALL = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
SCALES = {"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
PARTS = {
    "half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10,
}  # fmt: skip
"""Denominators in words; all but the first two also in the plural."""
WORD = r"(?:" + "|".join([*SMALL, *TENS, *SCALES]) + r")"
"""Pattern of one number word."""
FIGURES = r"(?:(?:\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(?:\.\d{1,15})?|\.\d{1,15})(?![\d]|[.,]\d)"
"""Pattern of one number in figures, without its sign; bounded, so that a wall of digits costs linear time."""

RELATIVE_TOLERANCE = 1e-4
"""Two numeric answers are equal within this share: 33.33 % is 0.3333 and not 0.334."""
LARGEST = 1e18
"""No answer is larger; what comes to more is none."""

_PART = r"(?:" + "|".join(PARTS) + r")s?"
_WORDS = rf"{WORD}(?:(?:[\s-]+|\s+and\s+){WORD}){{0,7}}"
_SCALE = "|".join(SCALES)
_ATTACHED = r"(?:k?hz|m?s|sec|secs|min|h|db|dbfs|lufs|bpm|[kcm]?m|kg|g|°[cf]?|th(?=\s+of\b))\b"
"""Units that may stand directly after figures; any other letter there makes them something else."""
_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"
_SIGN = r"(?P<{0}>(?:minus|negative)\s+|[-+]\s?)?"
_NUMBER = re.compile(
    rf"(?<![\w.^]){_SIGN.format('sign')}(?P<root>√|sqrt\s?|(?:the\s)?square root of\s)?"
    rf"[($€£]{{0,2}}(?P<figures>{FIGURES})\)?"
    rf"(?:e(?P<exponent>[-+]?\d{{1,3}})(?!\w)|\s?(?:×|x|\*|·|\\times)\s?10(?:\^|\*\*)?"
    rf"\{{?(?P<ten>[-+]?\d{{1,3}}|[{_RAISED}]{{1,4}})\}}?"
    rf"|\s?(?:\^|\*\*)\{{?(?P<power>-?\d{{1,3}})\}}?(?!\w)|(?P<raised>[{_RAISED}]{{1,4}})|(?P<factorial>!)(?![!=\w])"
    rf"|\s?(?P<vulgar>[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])|\s+and\s+(?:a|one)\s(?P<more>half|third|quarter)\b"
    rf"|(?:\s+(?P<above>\d{{1,3}})(?=\s?/\s?\d))?\s?/\s?(?P<below>\d{{1,15}})(?![\d.]))?"
    rf"(?:\s?(?P<percent>%|percent\b|per cent\b)|\s(?P<scale>{_SCALE}|dozen)\b|(?P<kilo>k)\b|{_ATTACHED}|(?!\w))"
    r"|(?P<alone>(?<!\w)-?[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞])"
    rf"|(?<!\w){_SIGN.format('wordsign')}(?:(?P<words>{_WORDS})\s+and\s+)?"
    rf"\b(?:an?|(?P<parts>one|two|three|four|five|six|seven|eight|nine))[\s-](?P<part>{_PART})\b"
    r"|\b(?P<halfdozen>half a)\sdozen\b|\b(?:an?|one)\s(?P<dozen>dozen)\b"
    rf"|(?<![\w-]){_SIGN.format('plainsign')}(?P<plain>{_WORDS})\b"
    rf"(?:\s+point(?P<digits>(?:\s+(?:{'|'.join(list(SMALL)[:10])})\b){{1,9}}))?"
    rf"(?:\s+(?P<wordpercent>percent|per cent)\b|\s(?P<dozens>dozen)\b)?",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"(?:\b(?:not|rather than|instead of|never|neither|cannot|unlike|except)\b|n't\b)[^,;.!?]*?"
    r"(?:(?=\bbut\b|[,;!?]|\.(?!\d)|$)|\.\d+)",
    re.IGNORECASE,
)
_UNSURE = re.compile(
    r"\b(?:more|less|fewer|greater|larger|smaller|higher|lower|bigger|longer|shorter) than\b|\bat (?:least|most)\b"
    r"|\b(?:over|under|above|below|beyond|wrong|incorrect|unlikely|far from|anything but|all but|hardly|fails?|doubt\w*"
    r"|wait|actually|sorry|or|either|if|unless|between|twice|double|triple|half|squared|cubed|factorial|root|power|times"
    r"|plus|minus|negative|divided|point|dozens?|hundreds|thousands|millions|billions?|trillions?|quadrillion|log|ln|mod"
    r"|thirds|quarters|fourths|fifths|sixths|eighths|tenths|different|false|untrue)\b|[≠<>≥≤±√!^×*²³⁴‰∞+]|\d|\w°",
    re.IGNORECASE,
)
"""What may not be left of a text once its number is taken out."""
_NOT_QUITE = re.compile(
    r"\bno #|\b(?:nearly|almost|barely|scarcely|without|up to|used to|no longer|formerly|previously|originally"
    r"|initially|at first|thought|expected|supposed(?:ly)?|short of|would have)\b|#\s*(?:fewer|more|less|extra|missing"
    r"|short|\?|too (?:many|few|much))|#\s*[+*/×·÷]?\s*#",
    re.IGNORECASE,
)
"""What stands beside a number, `#`, that is not meant, or not reached, counts from another one or is computed with it.
"""
_RANGE = re.compile(r"\d\s?-\s?[\d.]")
_COUNTS = {"once": 1.0, "twice": 2.0, "thrice": 3.0, "none": 0.0, "half": 0.5, "a pair": 2.0}
"""Numbers that are none beside others: "twice 3", "none of the 4"."""
_NO_THINGS = re.compile(r"(?:there (?:are|were) )?no [a-z]{2,30}s(?: at all)?$")
_TIMES = re.compile(r"\s+times(?=\W*$)", re.IGNORECASE)
"""A count, "3 times"; before more it multiplies."""
_GROUPED = re.compile(r"^\W{0,3}\d{1,3}(?:\s\d{3}){1,4}(?!\s?\d)")
_NOTE = re.compile(r"(?<![\w#♯♭+/-])[A-G][#♯b♭]?[0-8](?![\w#♯♭+/-]|[.,]\d)")
_HERTZ = re.compile(r"\d\s?k?hz\b|\bhertz\b", re.IGNORECASE)
"""Beside a frequency a note by its name, "440 Hz, an A4", counts nothing."""
_ALOUD = re.compile(
    rf"(?<![\w.])(?:one|1)\b(?:(?:,|\.\.\.|…)?\s+(?:and\s+)?(?:{'|'.join(SMALL)}|\d{{1,2}})\b){{1,18}}", re.IGNORECASE
)
_CJK = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_CJK_UNITS = {"十": 10, "百": 100, "千": 1_000}
_CJK_NUMBER = re.compile(
    r"^(?:一共|共|有|听到了?|是)*(负?)([零〇一二两三四五六七八九十百千]{1,9})[个只次声下条段种位人秒]?[。.]?$"
)


_UNITS = {
    "Hz": "hz|hertz", "kHz": "khz|kilohertz", "MHz": "mhz|megahertz",
    "us": "us|µs|μs|microseconds?", "ms": "ms|msecs?|milliseconds?", "s": "s|secs?|seconds?", "min": "mins?|minutes?",
    "h": "h|hrs?|hours?", "d": "days?", "dB": "db|dbfs|decibels?", "LUFS": "lufs|lkfs",
    "bpm": "bpm|beats (?:per|a) minute",
    "cent": "cents?", "semitone": "semitones?", "octave": "octaves?", "%": "%|percent|per cent",
    "mm": "mm|millimet(?:er|re)s?", "cm": "cm|centimet(?:er|re)s?", "m": "m|met(?:er|re)s?",
    "km": "km|kilomet(?:er|re)s?",
}  # fmt: skip
"""Spellings of a unit by its name."""
_WITH_UNIT = re.compile(
    rf"(?:\d|\b{WORD})[\s-]*(?:{'|'.join(f'(?P<u{place}>{words})' for place, words in enumerate(_UNITS.values()))})"
    r"(?!\w)",
    re.IGNORECASE,
)


def other_unit(one: str, another: str) -> bool:
    """Whether both state units behind their numbers, and none in common: 440 kHz are no 440 Hz."""
    here, there = ({match.lastgroup for match in _WITH_UNIT.finditer(_plain(text))} for text in (one, another))
    return bool(here and there and not here & there)


def same_number(expected: str, given: str) -> bool:
    """True if `given` holds exactly one distinct number and it equals that of `expected`, in its unit if it states one.

    If only one of the two has a percent sign, "50 %" is 0.5 and 50: questions for a share leave that open.
    """
    want, have = single_number(expected), single_number(given)
    if want is None or have is None or other_unit(expected, given):
        return False
    lenient = _is_percent(expected) != _is_percent(given)
    return any(
        math.isclose(want * factor, have, rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-9)
        for factor in ((1.0, 0.01 if _is_percent(given) else 100.0) if lenient else (1.0,))
    )


def single_number(text: str) -> float | None:
    """The one number `text` names, or None if it names none or several different ones; "not 73" names none."""
    text = _plain(text)
    if text.count("=") == 1 and not re.search(r"[!<>≠]=", text):
        text = text.partition("=")[2]
    if match := _CJK_NUMBER.match(text.strip()):
        return _cjk_value(match[2]) * (-1.0 if match[1] else 1.0)
    if (word := text.casefold().strip(" .!")) in _COUNTS or _NO_THINGS.match(word):
        return _COUNTS.get(word, 0.0)
    text = _TIMES.sub("", _GROUPED.sub(lambda match: re.sub(r"\s", "", match[0]), _DENIED.sub(" ", text)))
    text = _counted_aloud(text)
    text = _NOTE.sub(" ", text) if _HERTZ.search(text) else text
    if _RANGE.search(text):
        return None
    values = {_value(match) for match in _NUMBER.finditer(text)}
    if len(values) != 1 or _UNSURE.search(_NUMBER.sub(" ", text)) or _NOT_QUITE.search(_NUMBER.sub("#", text)):
        return None
    value = values.pop()
    return value if value is not None and abs(value) <= LARGEST else None


def _counted_aloud(text: str) -> str:
    """`text` without "one, two, three", where it also says how many that are."""
    if (run := _ALOUD.search(text)) is None:
        return text
    said = [
        words_value(word) if word.isalpha() else int(word)
        for word in re.findall(r"[a-z]+|\d+", run[0].casefold())
        if word != "and"
    ]
    left = text[: run.start()] + " " + text[run.end() :]
    if said[-1] in said[:-1]:  # "three, four... four beeps"
        left = f"{said.pop()} {left}"
    there = _NUMBER.search(left)
    return left if said == list(range(1, len(said) + 1)) and there and _value(there) == len(said) else text


def _plain(text: str) -> str:
    for other, plain in (("−", "-"), ("–", "-"), ("—", " - "), ("’", "'"), ("（", "("), ("）", ")")):
        text = text.replace(other, plain)
    return "".join(str(unicodedata.digit(c)) if c.isdecimal() else c for c in text)


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
    """The value of one number, None if it has none (a division by zero, words that form no number)."""
    sign = -1.0 if (match["sign"] or match["wordsign"] or match["plainsign"] or "+").strip() != "+" else 1.0
    if match["alone"]:
        return unicodedata.numeric(match["alone"][-1]) * (-1.0 if match["alone"][0] == "-" else 1.0)
    if match["figures"]:
        number = _figures(match)
        return None if number is None else sign * number
    number = _in_words(match)
    return None if number is None else sign * number


def _in_words(match: re.Match[str]) -> float | None:
    if match["dozen"] or match["halfdozen"]:
        return 12.0 if match["dozen"] else 6.0
    if match["part"]:
        part = match["part"].casefold()
        share = SMALL.get((match["parts"] or "one").casefold(), 1) / (PARTS.get(part) or PARTS[part.removesuffix("s")])
        whole = words_value(match["words"]) if match["words"] else 0
        return None if whole is None else whole + share
    value = words_value(match["plain"])
    if value is None:
        return None
    if match["digits"]:
        return float(f"{value}.{''.join(str(SMALL[word.casefold()]) for word in match['digits'].split())}")
    return value * 12.0 if match["dozens"] else value / 100 if match["wordpercent"] else float(value)


def _figures(match: re.Match[str]) -> float | None:
    number = figures_value(match["figures"])
    if match["root"]:
        number = math.sqrt(number)
    if exponent := match["exponent"] or match["ten"]:
        number = number * 10.0 ** max(min(_lowered(exponent), 30), -30)
    elif power := match["power"] or match["raised"]:
        exponent_value = _lowered(power)
        if abs(exponent_value) > 60 or (number == 0 and exponent_value < 0):
            return None
        number = min(math.pow(min(number, LARGEST), exponent_value), 10 * LARGEST) if number else 0.0**exponent_value
    elif match["factorial"]:
        if number > 18 or not number.is_integer():
            return None
        number = float(math.factorial(int(number)))
    elif match["vulgar"]:
        number += unicodedata.numeric(match["vulgar"])
    elif match["more"]:
        number += 1 / PARTS[match["more"].casefold()]
    elif match["below"]:
        below = int(match["below"])
        if below == 0:
            return None
        number = number + int(match["above"]) / below if match["above"] else float(Fraction(number) / below)
    if match["scale"]:
        number *= SCALES.get(match["scale"].casefold(), 12)
    if match["kilo"]:
        number *= 1_000
    return number / 100 if match["percent"] else number


def _lowered(raised: str) -> int:
    digits = "".join("-" if c == "⁻" else str(unicodedata.digit(c)) if c in _RAISED else c for c in raised)
    return int(digits) if digits.strip("+-").isdigit() and digits.rfind("-") <= 0 else 10_000


def _cjk_value(text: str) -> float:
    total, digit = 0, 0
    for char in text:
        if char in _CJK_UNITS:
            total, digit = total + (digit or 1) * _CJK_UNITS[char], 0
        else:
            digit = _CJK[char] if digit == 0 else digit * 10 + _CJK[char]
    return float(total + digit)
