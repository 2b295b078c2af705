"""Bounds: "longer than 2.4 s", "the pitch stays below 400 Hz", "at least three beeps"."""

from __future__ import annotations

import math

from reward.parse.around import Around
from reward.parse.asked import Asked
from reward.parse.focus import Focus
from reward.parse.found import NEAR
from reward.parse.lexicon.units import APPROXIMATIONS
from reward.parse.meanings import Compares, Limit, Moves, Ordinal, Word
from reward.parse.quantities import count_at, value_at
from reward.parse.words import Item
from reward.statements import Bound, Counted, Part, Quantity, Relation, Value

_BOUNDED = frozenset({
    Quantity.PITCH, Quantity.LEVEL, Quantity.DURATION, Quantity.CLIP, Quantity.TEMPO, Quantity.CENTROID,
    Quantity.LOUDNESS, Quantity.SYLLABLES, Quantity.PAUSE, Quantity.GAP, Quantity.HARMONICITY, Quantity.DECAY,
    Quantity.PITCH_RANGE, Quantity.PEAK,
})  # fmt: skip
_RANGED = frozenset({Quantity.DURATION, Quantity.CLIP, Quantity.PAUSE, Quantity.DECAY})
"""Of which "two to three seconds" is a range; the gaps, or the pitch, may go from one number to the other."""
_SAYS = frozenset({
    "is", "was", "are", "were", "stays", "stayed", "sits", "lies", "remains", "remained", "lasts", "lasted", "lasting",
    "takes", "for", "seems", "be",
})  # fmt: skip
"""Before "above 400 Hz" where that is said of the sound; "energy above 4 kHz" is no pitch."""
_HOW = frozenset(
    {"well", "just", "clearly", "not", "no", "definitely", "slightly", "always", "certainly", "a", "bit", "far", "also"}
)
_NEAR_UNITS = frozenset({"s", "bpm", "Hz", "dB"})
_UNITS = {
    "s": (Quantity.DURATION, Quantity.CLIP, Quantity.PAUSE, Quantity.GAP, Quantity.DECAY),
    "Hz": (Quantity.PITCH, Quantity.CENTROID), "dB": (Quantity.LEVEL,), "bpm": (Quantity.TEMPO,),
}  # fmt: skip
"""What a number with a unit bounds after a comparative: "longer than 2.4 s"."""


def bound_at(around: Around, focus: Focus, position: int, item: Item, asked: Asked) -> tuple[Bound | Value | None, int]:
    """The bound that the number at `position` states, or None, and the position of the last item used.

    A number of the question is a limit of the task: what lies beyond it is the answer.
    """
    number = item.number or 0.0
    second = _second(around, position)
    if second is not None:
        return _range(around, focus, position, second)
    if not around.is_bound(position) or number in asked.numbers:
        return None, position

    place = position - 1
    while around.word(place) in APPROXIMATIONS:
        place -= 1
    limit = around.meaning(place) if place >= 0 else None
    if limit is Word.THAN:
        return _compared(around, focus, place, item), position
    if not isinstance(limit, Limit):
        return None, position
    if limit.near and item.unit not in _NEAR_UNITS:
        return None, position
    if not item.unit:
        counted = count_at(around, focus, position, item, bounded=True)
        if counted is None or counted[0].of is not Counted.EVENTS:
            return None, position
        return _of_counts(limit, number, counted[0].part), counted[1]
    if not limit.near and not _is_said(around, place):
        return None, position
    value = value_at(around, focus, position, item, bounded=True)
    if value is None or value.quantity not in _BOUNDED:
        return None, position
    if limit.near:
        return value, position
    return Bound(value.quantity, value.part, *_ends(limit.above, number)), position


def _second(around: Around, position: int) -> int | None:
    """Where the second number of "between three and five", "two to three seconds" stands; None if there is none."""
    joint = around.word(position + 1)
    between = around.word(position - 1) == "between" and position > 0
    if joint not in (("and", "to") if between else ("to", "-")) or not around.is_number(position + 2):
        return None
    one, other = around.items[position], around.items[position + 2]
    if not one.number or (around.word(position - 1) == "(" and isinstance(around.meaning(position - 2), Ordinal)):
        return None  # "the first clip (0-2.4 s)" says when
    if ":" in one.word or around.word_before(position) == "from":
        return None  # "the second clip (0:04-0:07)" and "from 4 to 7 s" say when
    return position + 2 if (one.number or 0.0) < (other.number or 0.0) and one.unit == other.unit else None


def _range(around: Around, focus: Focus, position: int, second: int) -> tuple[Bound | Value | None, int]:
    """The bounds that two numbers state, and the position of the last item used."""
    low, high = (around.items[index].number or 0.0 for index in (position, second))
    if not around.items[position].unit:
        counted = count_at(around, focus, second, around.items[second], bounded=True)
        if counted is None or counted[0].of is not Counted.EVENTS or focus.moving:
            return None, position
        return Bound(Quantity.NUMBER, counted[0].part, low, high), counted[1]
    if around.items[position].unit != "s" or focus.moving or (around.span_at(position) and focus.topic is None):
        return None, position
    value = value_at(around, focus, position, around.items[position], bounded=True)
    if value is None or value.quantity not in _RANGED:
        return None, position
    if high - low <= NEAR * high:  # "2.3 to 2.4 s" is a value, hedged
        return Value(value.quantity, value.part, (low + high) / 2), second
    return Bound(value.quantity, value.part, low, high), second


def _compared(around: Around, focus: Focus, place: int, item: Item) -> Bound | None:
    """The bound of "longer than 2.4 s", whose "than" is at `place`."""
    compares = around.meaning(place - 1)
    if not isinstance(compares, Compares | Moves) or compares.relation is Relation.SAME:
        return None
    if not _is_said(around, place - 1):
        return None
    quantity = Quantity.TEMPO if isinstance(compares, Moves) else compares.quantity  # "faster" is both
    if quantity is Quantity.DURATION:
        if focus.topic in (Quantity.PAUSE, Quantity.GAP, Quantity.DECAY):
            quantity = focus.topic
        elif focus.clip:
            quantity = Quantity.CLIP
    if quantity not in _UNITS.get(item.unit, ()):
        return None
    part: Part = focus.pause if quantity is Quantity.PAUSE else None
    if quantity in (Quantity.DURATION, Quantity.PITCH, Quantity.LEVEL, Quantity.CENTROID):
        part = focus.where
    return Bound(quantity, part, *_ends(compares.relation is Relation.MORE, item.number or 0.0))


def _is_said(around: Around, place: int) -> bool:
    """True if the word at `place` follows a verb that says it of the sound."""
    index = place - 1
    while index >= 0 and around.word(index) in _HOW:
        index -= 1
    return index >= 0 and around.word(index) in _SAYS


def _ends(above: bool, number: float) -> tuple[float, float]:
    return (number, math.inf) if above else (-math.inf, number)


def _of_counts(limit: Limit, number: float, part: Part) -> Bound:
    """Counts are whole: more than three are four and more."""
    low, high = _ends(limit.above, number)
    if limit.strict:
        low, high = low + 1, high - 1
    return Bound(Quantity.NUMBER, part, low, high)
