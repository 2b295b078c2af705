"""Choices and their answer as data sets spell them: lettered, numbered, twice, by letter, by index."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from earwitness.chat import LETTERS
from earwitness.data.fields import said
from earwitness.data.question import LeftOut
from earwitness.errors import shown

_OPEN, _CLOSED = r"^\s*[(\[（]?", r"[)\].:）、．：]+"
_LETTERED = re.compile(rf"{_OPEN}([A-Za-z]){_CLOSED}\s*(.*)$", re.DOTALL)
_NUMBERED = re.compile(rf"{_OPEN}(\d{{1,2}}){_CLOSED}\s+(.*)$", re.DOTALL)
"""With a space, for 1.5 is no first choice."""
_LETTER = re.compile(rf"{_OPEN}([A-Za-z])(?:{_CLOSED})?\s*$")
_NUMBER = re.compile(rf"{_OPEN}(\d{{1,2}})(?:{_CLOSED})?\s*$")
_LABELS, _TEXTS = ("label", "labels"), ("text", "texts")


def listed(value: Any) -> list[str]:
    """Choices from a list, from text of one (JSON, or Python's as CSV files have it), from text with `|` or lines
    between them, from {letter: text}, or from {"label": [...], "text": [...]}. A choice that says nothing is "":
    letters still tell those behind it."""
    if isinstance(value, str):
        if value.lstrip()[:1] in ("[", "{"):
            for parse in (json.loads, ast.literal_eval):
                try:
                    return listed(parse(value.strip()))
                except (ValueError, SyntaxError, RecursionError, MemoryError):
                    continue
        parts = value.split("|") if "|" in value else value.splitlines()
        return [part.strip() for part in parts if part.strip()]
    if isinstance(value, Mapping):
        labels, texts = (next((value[key] for key in keys if key in value), None) for keys in (_LABELS, _TEXTS))
        if isinstance(labels, list) and isinstance(texts, list) and len(labels) == len(texts):
            return [f"{said(label)}. {said(text)}" for label, text in zip(labels, texts, strict=True)]
        return [said(value[key]) for key in sorted(value, key=lambda key: (len(str(key)), str(key)))]
    return [said(choice) for choice in value] if isinstance(value, Sequence) else []


def at_index(choices: Sequence[str], answer: str) -> str:
    """The choice that an index, from 0, names. Raises LeftOut."""
    if not answer.isdecimal() or not int(answer[:9]) < len(choices):
        raise LeftOut(f"answer {shown(answer).strip(chr(39))[:40]} of {len(choices)} choices")
    return choices[int(answer)]


def settled(choices: Sequence[str], answer: str) -> tuple[list[str], str]:
    """Choices that differ, without letters of their own, and the text of the one that `answer` names.

    A choice that stands twice is asked once. Raises LeftOut where the answer is none of them, or fewer than two are
    left.
    """
    bare, numbered = _bare(choices)
    right = _named(answer, choices, bare, numbered)
    different = [choice for choice in dict.fromkeys(bare) if choice]
    if not 2 <= len(different) <= len(LETTERS):
        raise LeftOut(f"{len(different)} different choices")
    return different, right


def _bare(choices: Sequence[str]) -> tuple[list[str], bool]:
    """Without "A. ", "(b) ", "1. " ... if they all begin so, in order: the prompt adds letters of its own. And whether
    they were numbered."""
    for pattern in (_LETTERED, _NUMBERED):
        found = [match for choice in choices if (match := pattern.match(choice)) and match[2].strip()]
        if found and [_index(match) for match in found] == list(range(len(choices))):
            return [match[2].strip() for match in found], pattern is _NUMBERED
    return [choice.strip() for choice in choices], False


def _named(answer: str, choices: Sequence[str], bare: Sequence[str], numbered: bool) -> str:
    given = answer.strip()
    if not given:
        raise LeftOut("no answer")
    for spelled in (choices, bare):
        if given in spelled:
            return bare[list(spelled).index(given)]
    alike = dict.fromkeys(choice for choice in bare if choice.casefold() == given.casefold())
    if len(alike) == 1:
        return next(iter(alike))
    if alike:
        raise LeftOut(f"the answer may be several of the choices ({shown(given)[:60]})")
    if mark := _LETTER.match(given) or (_NUMBER.match(given) if numbered else None):
        if 0 <= (index := _index(mark)) < len(bare) and bare[index]:
            return bare[index]
        raise LeftOut(f"answer {given} of {len(bare)} choices")
    marked = _LETTERED.match(given) or (_NUMBERED.match(given) if numbered else None)
    if marked and 0 <= (index := _index(marked)) < len(bare) and bare[index].casefold() == marked[2].strip().casefold():
        return bare[index]
    raise LeftOut(f"the answer is not among the choices ({shown(given)[:60]})")


def _index(match: re.Match[str]) -> int:
    """Of what is marked by a letter, or by a number from 1."""
    return int(match[1]) - 1 if match[1].isdecimal() else LETTERS.index(match[1].upper())
