"""Tokens to items: phrases of the lexicon, and numbers with their units."""

from __future__ import annotations

from reward.parse.lexicon import MEANINGS
from reward.parse.lexicon.units import APPROXIMATIONS, UNITS
from reward.parse.meanings import Meaning
from reward.parse.spelt import number_at, phrase_at
from reward.parse.words import Item

_LONGEST_FROM: dict[str, int] = {}
_AFTER: dict[str, set[str]] = {}
for _phrase in MEANINGS:
    _LONGEST_FROM[_phrase[0]] = max(len(_phrase), _LONGEST_FROM.get(_phrase[0], 0))
    _AFTER.setdefault(_phrase[0], set()).update(_phrase[1:2])
"""Words of the longest phrase that begins with a word, and the second words of all: "is" begins many, and is none."""
_ALONE = {phrase[0]: meaning for phrase, meaning in MEANINGS.items() if len(phrase) == 1}
_new = tuple.__new__
"""Half the cost of calling Item, for the words of every trace."""
_JOINTS = frozenset({"to", "-", "and", "or", "up", "down", "through"}) | APPROXIMATIONS
_SPELT = frozenset({"half", "a"})
_APART = frozenset({"higher", "lower", "above", "below", "up", "down", "apart"})
_ARTICLES = frozenset({"a", "an", "one"})
_JOINT_TOKENS = 4
"""Most tokens between the two numbers of a range: "0.30 s down to about 0.15 s"."""


def items_of(tokens: list[Item]) -> list[Item]:
    """The items of a sentence, longest phrases first."""
    items: list[Item] = []
    position, numbers, count = 0, 0, len(tokens)
    while position < count:
        item = tokens[position]
        word, start, _, _, number, _ = item
        if word in _SPELT and (spelt := phrase_at(tokens, position)) is not None:
            item, position = spelt
            if not item.unit:
                item, position = _with_unit(tokens, item, position - 1)
            items.append(item)
            continue
        after = _AFTER.get(word)
        meaning, length = None, 1
        if after is not None:
            if position + 1 < count and tokens[position + 1].word in after:
                meaning, length = _phrase_at(tokens, position, _LONGEST_FROM[word])
            else:
                meaning = _ALONE.get(word)
        if word in _ARTICLES and position + 1 < count and _is_interval(tokens, position + 1):
            item = tokens[position] = tokens[position]._replace(number=1.0)  # "an octave higher", "a fifth below"
            meaning, number = None, 1.0
        if meaning is None and number is not None:
            item, position = _number_at(tokens, position)
            numbers += 1
        else:
            if meaning is not None:
                item = _new(Item, (word, start, tokens[position + length - 1].end, meaning, None, ""))
            position += length
        items.append(item)
    if numbers > 1:
        _share_units(items)
    return items


def _is_interval(tokens: list[Item], position: int) -> bool:
    word = tokens[position].word
    after = tokens[position + 1].word if position + 1 < len(tokens) else ""
    return word in ("octave", "semitone") or (word in ("fourth", "fifth") and after in _APART)


def _phrase_at(tokens: list[Item], position: int, longest: int) -> tuple[Meaning | None, int]:
    """The longest phrase at `position` and its words; (None, 1) if none begins there."""
    words = tuple([token.word for token in tokens[position : position + longest]])
    for length in range(len(words), 0, -1):
        meaning = MEANINGS.get(words[:length])
        if meaning is not None:
            return meaning, length
    return None, 1


def _number_at(tokens: list[Item], position: int) -> tuple[Item, int]:
    """The number at `position` with its unit, and the position after it."""
    token = tokens[position]
    if token.word[0].isalpha():
        value, position = number_at(tokens, position)
        token = token._replace(number=value)
    if token.unit:  # a time as on a clock
        return token, position + 1
    return _with_unit(tokens, token, position)


def _with_unit(tokens: list[Item], token: Item, position: int) -> tuple[Item, int]:
    """The number `token`, whose last word is at `position`, with its unit, and the position after it."""
    value, unit, last = token.number or 0.0, "", position
    following = [t.word for t in tokens[position + 1 : position + 4]]
    if following[:1] == ["-"] and following[1:2] and following[1] in UNITS and not tokens[position + 2].number:
        position += 1  # "a 0.5-second pause"
        following = following[1:]
        last = position
    per = following.index("per") if "per" in following[:2] else len(following)
    if token.unit:  # a time as on a clock
        return token, position + 1
    if following[:1] in (["syllable"], ["syllables"]) and following[1:3] in (["per", "second"], ["a", "second"]):
        unit, last = "syl", position + 3
    elif following[:1] in (["beat"], ["beats"]) and following[1:2] == ["min"]:  # "120 beats/min"
        unit, last = "bpm", position + 2
    elif following[per + 1 : per + 2] in (["minute"], ["second"]):  # "5 per second", "120 beats per minute"
        unit, last = "bpm", position + per + 2
        value *= 60.0 if following[per + 1] == "second" else 1.0
    elif following and following[0] in UNITS:
        unit, factor = UNITS[following[0]]
        value, last = value * factor, position + 1
    return Item(token.word, token.start, tokens[last].end, None, value, unit), last + 1


def _share_units(items: list[Item]) -> None:
    """Gives the first number of "310 to 520 Hz" the unit of the second."""
    numbers = [index for index, item in enumerate(items) if item.number is not None]
    for here, there in zip(numbers[-2::-1], numbers[:0:-1], strict=True):
        between = items[here + 1 : there]
        near = 0 < len(between) <= _JOINT_TOKENS and all(item.word in _JOINTS for item in between)
        if [item.word for item in between] == [","]:  # "440, 550 and 660 Hz"
            near = items[there].unit in ("Hz", "s") and items[here].word[0].isdigit()
        if near and items[there].unit and not items[here].unit:
            items[here] = items[here]._replace(unit=items[there].unit)
