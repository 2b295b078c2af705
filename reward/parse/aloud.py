"""Counting aloud: "one, two, three", "a knock, then another, then another", and lists of the times of sounds."""

from __future__ import annotations

from reward.parse.around import Around
from reward.parse.found import Found
from reward.parse.meanings import Ordinal, Word
from reward.parse.words import Item
from reward.statements import Count, Part, Quantity, Value

LEAST_ALOUD = 3
"""Numbers in a row, from 1, that are a count."""
LEAST_LETTERS = 3
_SAID_TWICE = frozenset({"very", "wait", "yes", "listen", "okay", "now"})
_BETWEEN = frozenset({",", "and", "then"})
_THEN = frozenset({",", "then", "and", "followed", "by", "plus"})
_MORE = frozenset({"another", "more", "third"})
_AT = frozenset({"at", "around", "about", "near", "roughly", "approximately", "right", "exactly", ",", "then", "and"})
"""Between the times of a list."""


def counted_aloud(items: list[Item], text: str, part: Part, uncertain: bool) -> list[Found]:
    """Counts that a sentence makes by counting, not by a number of something."""
    words = [item.word for item in items]
    commas = words.count(",")
    counts = []
    if commas >= LEAST_ALOUD - 1:  # looked at first, because few sentences count
        counts = [_numbers(items, text), _repeated(items)]
    if not _MORE.isdisjoint(words):
        counts.append(_others(items))
    return [Found(Count(count, part=part), start, end, uncertain) for count, start, end in counts if count]


def _numbers(items: list[Item], text: str) -> tuple[int, int, int]:
    """The last of "1, 2, 3, 4" with its place; (0, 0, 0) where nobody counts or goes on counting ("3...")."""
    count, first, last = 0, None, None
    for index, item in enumerate(items):
        if item.number == count + 1 and not item.unit and (count == 0 or items[index - 1].word in _BETWEEN):
            count += 1
            first, last = first if count > 1 else item, item
        elif item.word not in _BETWEEN and count:
            break
    if first is None or last is None or count < LEAST_ALOUD or last is not items[-1]:
        return 0, 0, 0
    goes_on = text[last.end : last.end + 2] in ("..", "\u2026") or text[last.end : last.end + 1] == "\u2026"
    return (0, 0, 0) if goes_on else (count, first.start, last.end)


def _others(items: list[Item]) -> tuple[int, int, int]:
    """How many sounds "a knock, then another, and another" are."""
    around = Around(items)
    for index, item in enumerate(items):
        if item.meaning not in (Word.EVENT, Word.PULSES) or around.word(index - 1) not in ("a", "one", "single", "an"):
            continue
        count, last, position = 1, item, index + 1
        while position < len(items) and (
            items[position].word in _THEN or _is_another(items, position) or items[position].word in ("a", "one")
        ):
            if items[position].word == "another" or _is_more(items, position):
                count, last = count + 1, items[position]
            position += 1
        if count >= LEAST_ALOUD:
            return count, items[index - 1].start, last.end
    return 0, 0, 0


def _repeated(items: list[Item]) -> tuple[int, int, int]:
    """How often a sound is named in "beep, beep, beep"."""
    for index, item in enumerate(items):
        if len(item.word) < LEAST_LETTERS or not item.word.isalpha() or item.word in _SAID_TWICE:
            continue
        count, position = 1, index
        while [i.word for i in items[position + 1 : position + 3]] == [",", item.word]:
            count, position = count + 1, position + 2
        if count >= LEAST_ALOUD:
            return count, item.start, items[position].end
    return 0, 0, 0


def _is_another(items: list[Item], position: int) -> bool:
    word, before = items[position].word, items[position - 1]
    if word == "another" or _is_more(items, position):
        return True
    named = word == "one" or items[position].meaning in (Word.EVENT, Word.PULSES)
    return named and (before.word == "another" or _is_more(items, position - 1))


def _is_more(items: list[Item], position: int) -> bool:
    """True for the "more" of "one more" and the "third" of "a third"."""
    item, before = items[position], items[position - 1].word
    return (item.word == "more" and before == "one") or (isinstance(item.meaning, Ordinal) and before == "a")


def listed_times(items: list[Item], position: int, part: Part) -> list[tuple[Value, int]]:
    """Onsets that follow the one at `position` in a list: "at 0:01, 0:02 and 0:03"."""
    values: list[tuple[Value, int]] = []
    index, number = position + 1, part if isinstance(part, int) else None
    while index < len(items) and (items[index].word in _AT or items[index].word == "another" or _is_time(items[index])):
        if _is_time(items[index]):
            number = number + 1 if number is not None else None
            values.append((Value(Quantity.ONSET, number, items[index].number or 0.0), index))
        index += 1
    return values


def _is_time(item: Item) -> bool:
    return ":" in item.word and item.number is not None
