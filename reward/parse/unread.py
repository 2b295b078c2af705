"""Statements about the sound from which no claim was read, with why: what the share of checked claims does not show."""

from __future__ import annotations

from typing import NamedTuple

from reward.parse.found import Found
from reward.parse.lexicon.beyond import BEYOND
from reward.parse.meanings import Compares, Counts, Evenness, Moves, PaceWord, Sounds, Topic
from reward.parse.words import Item
from reward.statements import Quantity

MAX_UNREAD = 64
"""More are not listed."""
_UNITS = frozenset({"Hz", "dB", "bpm", "s"})
NOT_UNDERSTOOD = "not understood"
_CUTS = frozenset({",", ";", ":", "(", ")", "but", "while", "whereas", "which", "so", "because", "though"})
_ACOUSTIC = (Compares, Counts, Evenness, Moves, PaceWord, Sounds)
_NO_TOPIC = frozenset({Quantity.CLIP, Quantity.DURATION, Quantity.GAP})
"""Words such as "audio", "long" and "apart" that alone say nothing of the sound."""


class Unread(NamedTuple):
    """Words about the sound that no claim was read from."""

    text: str
    why: str


def unread_in(items: list[Item], found: list[Found], text: str) -> list[tuple[int, int, Unread]]:
    """The clauses of a sentence that speak of the sound and have no claim, with their first and last character."""
    missed: list[tuple[int, int, Unread]] = []
    begin, why = 0, ""
    for index, item in enumerate(items):
        if item.word in _CUTS:
            if why:
                _add(missed, items[begin:index], why, found, text)
            begin, why = index + 1, ""
        elif not why or why is NOT_UNDERSTOOD:
            why = _why(item) or why
    if why:
        _add(missed, items[begin:], why, found, text)
    return missed


def _add(missed: list[tuple[int, int, Unread]], clause: list[Item], why: str, found: list[Found], text: str) -> None:
    start, end = clause[0].start, clause[-1].end
    if not any(f.start < end and start < f.end for f in found):
        missed.append((start, end, Unread(text[start:end].strip(" ,:-"), why)))


def _why(item: Item) -> str:
    """Why a word about the sound has no verdict; "" if it is not about the sound."""
    meaning = item.meaning
    if meaning is None:
        return BEYOND.get(item.word) or (NOT_UNDERSTOOD if item.unit in _UNITS else "")
    if isinstance(meaning, Topic):
        return "" if meaning.quantity in _NO_TOPIC else NOT_UNDERSTOOD
    return NOT_UNDERSTOOD if isinstance(meaning, _ACOUSTIC) else ""
