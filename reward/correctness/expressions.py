"""Are two mathematical answers equal? Numbers by value; expressions by math-verify, in a process that can be killed.

math-verify reads LaTeX. A bare "2x + 1" it would take for the number 2 and "(1, 2)" for 2, so answers reach it as
LaTeX, or not at all. Case, articles ("a x") and edges ("n!", "f'") count here.
"""

from __future__ import annotations

import re
import unicodedata

from reward.correctness.sandbox import shared_sandbox
from reward.correctness.unwrap import clean, exact
from reward.numbers import same_number, single_number

_DELIMITED = re.compile(r"\$|\\\(|\\\[|\\boxed")
_OTHER = re.compile(r"[,;]?\s*\b(?:not|rather than|instead of)\b.*$", re.IGNORECASE | re.DOTALL)
_FUNCTIONS = frozenset(
    ["sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "log", "ln", "exp", "sqrt", "pi", "infty"]
)
_NAMES = re.compile(r"(?<![\\a-zA-Z])(pi|sin|cos|tan|log|ln|infty)(?![a-zA-Z])")
_WORD = re.compile(r"[A-Za-z]{2,}")
_NUMBER_ALONE = re.compile(r"[-+−]?[\d.,\s/]*\d\s*(?:%|percent)?")
_SCIENTIFIC = re.compile(r"(?<![\w.])(\d{1,15}(?:\.\d{1,15})?)e([-+]?\d{1,3})(?!\w)")
_LETTERS = re.compile(r"(?<![A-Za-z\\])[A-Za-z](?![A-Za-z])")
_UNFINISHED = re.compile(r"[-+*/^_=,(]$")
_RAISED = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]{1,20}")
_LOWERED = re.compile(r"[₀₁₂₃₄₅₆₇₈₉₊₋]{1,20}")
_ROOT = re.compile(r"√\s?(\([^()]{1,200}\)|\d{1,20}|[A-Za-z])")
_SYMBOLS = {"π": r"\pi ", "∞": r"\infty ", "·": r"\cdot ", "×": r"\cdot ", "÷": "/", "≤": r"\le ", "≥": r"\ge "}


def same_expression(expected: str, given: str) -> bool:
    """True if `given` equals `expected` as mathematics. Raises InfrastructureError if that could not be decided."""
    given = _OTHER.sub("", given).strip()
    if not given:
        return False
    if exact(given) == exact(expected):
        return True
    expected, given = _typed(expected), _typed(given)
    if _UNFINISHED.search(given) or given.count("'") != expected.count("'"):
        return False
    if _is_number(expected) and _is_number(given):
        return same_number(expected, given)
    reference, answer = as_latex(expected), as_latex(given)
    if not _same_case(reference, answer):
        return False
    return bool(reference and answer) and shared_sandbox().equal(reference, answer)


def as_latex(text: str) -> str:
    """`text` with LaTeX delimiters; of prose the one number that it names; "" for prose without one."""
    if _DELIMITED.search(text):
        return text
    words = set(_WORD.findall(re.sub(r"\\[A-Za-z]+", " ", text)))
    if words - _FUNCTIONS and not _is_product(words):
        value = single_number(text)
        return "" if value is None else f"${value:.15g}$"
    text = text.replace("**", "^")
    if "\\" not in text and text.startswith("{") and text.endswith("}"):
        text = rf"\{{{text[1:-1]}\}}"
    named = text if "\\text" in text else _NAMES.sub(r"\\\1", text)
    return f"${named}$"


def _typed(text: str) -> str:
    """`text` with the characters that a keyboard has, in LaTeX where it needs that."""
    text = clean(text).replace(r"\mathrm{e}", "e")
    for symbol, latex in _SYMBOLS.items():
        text = text.replace(symbol, latex)
    text = _RAISED.sub(lambda match: f"^{{{unicodedata.normalize('NFKC', match[0])}}}".replace("−", "-"), text)
    text = _LOWERED.sub(lambda match: f"_{{{unicodedata.normalize('NFKC', match[0])}}}".replace("−", "-"), text)
    text = _ROOT.sub(lambda match: rf"\sqrt{{{match[1].strip('()')}}}", text)
    text = _SCIENTIFIC.sub(r"\1\\cdot 10^{\2}", text) if not _SCIENTIFIC.fullmatch(text) else f"{float(text):.15g}"
    return "".join(_fraction(char) for char in text).strip()


def _fraction(char: str) -> str:
    if unicodedata.category(char) != "No" or "⁄" not in (parts := unicodedata.normalize("NFKC", char)):
        return char
    above, below = parts.split("⁄")
    return rf"\frac{{{above}}}{{{below}}}"


def _same_case(reference: str, answer: str) -> bool:
    """False if a variable of one stands in the other only in the other case: math-verify takes them for equal."""
    one, other = set(_LETTERS.findall(reference)), set(_LETTERS.findall(answer))
    return not any(letter.swapcase() in other - one for letter in one - other)


def _is_product(words: set[str]) -> bool:
    """True for "xy" and "ab": factors written together, not words."""
    return all(len(word) == 2 and word.islower() and not set(word) & set("aeiou") for word in words)


def _is_number(text: str) -> bool:
    return bool(_NUMBER_ALONE.fullmatch(text.strip())) or (
        not set(text) & set("\\^=()[]{}$*+") and single_number(text) is not None and not re.search(r"\d[a-z]\b", text)
    )
