"""Choices and their answer as data sets spell them: lettered, twice, by letter, by index."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from earwitness.chat import LETTERS
from earwitness.data.question import LeftOut
from earwitness.errors import shown

_LETTERED = re.compile(r"^\s*[(\[]?([A-Z])[)\].:]+\s*(.*)$", re.DOTALL)
_LETTER = re.compile(r"^\s*[(\[]?([A-Za-z])[)\].:]*\s*$")


def listed(value: Any) -> list[str]:
    """Choices from a list, from text of one (JSON, or Python's as CSV files have it), from text with `|` between them,
    or from {letter: text}."""
    if isinstance(value, str):
        if value.lstrip()[:1] in ("[", "{"):
            for parse in (json.loads, ast.literal_eval):
                try:
                    return listed(parse(value.strip()))
                except (ValueError, SyntaxError, RecursionError, MemoryError):
                    continue
        return [part.strip() for part in value.split("|") if part.strip()]
    if isinstance(value, Mapping):
        return [str(value[key]).strip() for key in sorted(value) if value[key] is not None]
    if isinstance(value, Sequence):
        return [str(choice).strip() for choice in value if choice is not None and str(choice).strip()]
    return []


def settled(choices: Sequence[str], answer: str) -> tuple[list[str], str]:
    """Choices that differ, without letters of their own, and the text of the one that `answer` names.

    A choice that stands twice is asked once. Raises LeftOut where the answer is none of them, or fewer than two are
    left.
    """
    bare = _unlettered(choices)
    right = _named(answer, choices, bare)
    different = list(dict.fromkeys(bare))
    if not 2 <= len(different) <= len(LETTERS):
        raise LeftOut(f"{len(different)} different choices")
    return different, right


def _unlettered(choices: Sequence[str]) -> list[str]:
    """Without "A. ", "(B) " ... if they all begin so, in order: the prompt adds letters of its own."""
    found = [_LETTERED.match(choice) for choice in choices]
    if found and all(match and match[1] == LETTERS[i] and match[2].strip() for i, match in enumerate(found)):
        return [match[2].strip() for match in found if match]
    return [choice.strip() for choice in choices]


def _named(answer: str, choices: Sequence[str], bare: Sequence[str]) -> str:
    given = answer.strip()
    if not given:
        raise LeftOut("no answer")
    for spelled in (choices, bare):
        if given in spelled:
            return bare[list(spelled).index(given)]
    folded = [choice.casefold() for choice in bare]
    if given.casefold() in folded:
        return bare[folded.index(given.casefold())]
    if letter := _LETTER.match(given):
        index = LETTERS.index(letter[1].upper())
        if index < len(bare):
            return bare[index]
        raise LeftOut(f"answer {given} of {len(bare)} choices")
    lettered = _LETTERED.match(given)
    if lettered and LETTERS.index(lettered[1]) < len(bare):
        named = bare[LETTERS.index(lettered[1])]
        if named.casefold() == lettered[2].strip().casefold():
            return named
    raise LeftOut(f"the answer is not among the choices ({shown(given)[:60]})")
