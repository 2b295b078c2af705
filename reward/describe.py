"""Statements in words, for people."""

from __future__ import annotations

import math
from typing import assert_never

from reward.families import COMPARED, COUNTS, MOVES, NUMBERS, QUALITIES, own_of
from reward.families.base import Words
from reward.statements import (
    BEGINNING,
    ENDING,
    Alone,
    Bound,
    Change,
    Comparison,
    Count,
    Not,
    Part,
    Relation,
    Span,
    Statement,
    Timbre,
    Turn,
    Value,
)

_STRETCHES = {
    BEGINNING: "the beginning", ENDING: "the end", Span(0.0, 0.5, True): "the first half",
    Span(0.5, 1.0, True): "the second half",
}  # fmt: skip


def describe(statement: Statement) -> str:
    """What is claimed."""
    match statement:
        case Not(inner):
            return f"not: {describe(inner)}"
        case Count(value, of, part):
            return f"{_part(part)}{value} {COUNTS[of].words[value != 1]}"
        case Value(quantity, part, value):
            return f"{_part(part)}{quantity} {NUMBERS[quantity].show(value)}"
        case Bound(quantity, part, low, high):
            ends = (("from", low), ("up to", high))
            said = [f"{word} {NUMBERS[quantity].show(end)}" for word, end in ends if math.isfinite(end)]
            return f"{_part(part)}{quantity} {' '.join(said)}"
        case Comparison(quantity, part, other, relation, amount):
            how = COMPARED[quantity]
            if how.check is not None:
                others = "the others" if other is None else f"{quantity} {other}"
                return f"{quantity} {part} {_of(relation, how.words)} than {others}"
            much = f"{abs(amount):g} {how.amount_unit} " if amount is not None else ""
            return f"{_name(part)} {much}{_of(relation, how.words)} than {_name(other)}"
        case Change(quantity, part, relation):
            return f"{_part(part)}{_of(relation, MOVES[quantity].words)}"
        case Turn(quantity, part, first, then):
            words = MOVES[quantity].words
            return f"{_part(part)}{_of(first, words)}, then {_of(then, words).split(' ', 1)[1]}"
        case Timbre(what, part):
            return f"{_part(part)}{QUALITIES[what].words}"
        case Alone():
            return f"{_part(getattr(statement, 'part', None))}{own_of(statement).describe(statement)}"
    assert_never(statement)


def _of(relation: Relation, words: Words) -> str:
    return words[(Relation.MORE, Relation.LESS, Relation.SAME).index(relation)]


def _part(part: Part) -> str:
    return "" if part is None else f"{_name(part)}: "


def _name(part: Part) -> str:
    if isinstance(part, Span):
        return _STRETCHES.get(part) or _stretch(part)
    return "the others" if part is None else "last" if part == -1 else f"event {part}"


def _stretch(span: Span) -> str:
    if span.share:
        return f"{span.start:.0%} to {span.end:.0%} of the clip"
    if math.isinf(span.end):
        return f"after {span.start:g} s"
    return f"before {span.end:g} s" if span.start <= 0 else f"{span.start:g} to {span.end:g} s"
