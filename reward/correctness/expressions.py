"""Are two mathematical answers equal? Numbers by value; expressions by math-verify, in a process that can be killed.

math-verify reads LaTeX. A bare "2x + 1" it would take for the number 2 and "(1, 2)" for 2, so answers reach it as
LaTeX, or not at all.
"""

from __future__ import annotations

import re

from reward.correctness.sandbox import shared_sandbox
from reward.correctness.unwrap import canonical
from reward.numbers import same_number, single_number

_DELIMITED = re.compile(r"\$|\\\(|\\\[|\\boxed")
_OTHER = re.compile(r"[,;]?\s*\b(?:not|rather than|instead of)\b.*$", re.IGNORECASE | re.DOTALL)
_FUNCTIONS = frozenset(
    ["sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "log", "ln", "exp", "sqrt", "pi", "infty"]
)
_NAMES = re.compile(r"(?<![\\a-zA-Z])(pi|sin|cos|tan|log|ln|infty)(?![a-zA-Z])")
_WORD = re.compile(r"[A-Za-z]{2,}")
_NUMBER_ALONE = re.compile(r"[-+−]?[\d.,\s/]*\d\s*(?:%|percent)?")


def same_expression(expected: str, given: str) -> bool:
    """True if `given` equals `expected` as mathematics. Raises InfrastructureError if that could not be decided."""
    given = _OTHER.sub("", given).strip()
    if not given:
        return False
    if canonical(given) == canonical(expected):
        return True
    if _is_number(expected) and _is_number(given):
        return same_number(expected, given)
    reference, answer = as_latex(expected), as_latex(given)
    return bool(reference and answer) and shared_sandbox().equal(reference, answer)


def as_latex(text: str) -> str:
    """`text` with LaTeX delimiters; of prose the one number that it names; "" for prose without one."""
    if _DELIMITED.search(text):
        return text
    words = set(_WORD.findall(re.sub(r"\\[A-Za-z]+", " ", text)))
    if words - _FUNCTIONS and not _is_product(words):
        value = single_number(text)
        return "" if value is None else f"${value:.15g}$"
    text = text.replace("**", "^").replace("−", "-").replace("π", "pi").replace("√", "sqrt")
    if "\\" not in text and text.startswith("{") and text.endswith("}"):
        text = rf"\{{{text[1:-1]}\}}"
    named = text if "\\text" in text else _NAMES.sub(r"\\\1", text)
    return f"${named}$"


def _is_product(words: set[str]) -> bool:
    """True for "xy" and "ab": factors written together, not words."""
    return all(len(word) == 2 and word.islower() and not set(word) & set("aeiou") for word in words)


def _is_number(text: str) -> bool:
    return bool(_NUMBER_ALONE.fullmatch(text.strip())) or (
        not set(text) & set("\\^=()[]{}$*+") and single_number(text) is not None and not re.search(r"\d[a-z]\b", text)
    )
