"""Statements where they were found in a sentence, and what two of them say together."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from reward.parse.meanings import Word
from reward.parse.words import Item
from reward.statements import Bound, Change, Comparison, Count, Not, Relation, Statement, Turn, Value

NEAR = 0.2
"""Two values with "or" between them that differ by less are one, hedged."""
_TURNS = frozenset({"then", "before", "and", "afterwards", "later", "again"})
"""Between two changes of one thing: the second comes after the first."""


class Found(NamedTuple):
    """A statement, and the characters of the text that it was read from."""

    statement: Statement
    start: int
    end: int
    uncertain: bool


def denied(statement: Statement) -> Statement | None:
    """What is said by `statement` after "not"; None if that says nothing that can be checked."""
    match statement:
        case Value():
            return None
        case Bound():
            return statement.opposite
        case Not(inner):
            return inner
        case Comparison():
            return Not(replace(statement, amount=None))
        case _:
            return Not(statement)  # "no vibrato"


def without_alternatives(found: list[Found], items: list[Item]) -> list[Found]:
    """Drops neighbours of one kind with "or" between them: nothing is claimed by naming both."""
    joints = [item.start for item in items if item.meaning is Word.OR]
    if not joints:
        return found
    dropped = set()
    for here, there in pairwise(range(len(found))):
        a, b = found[here], found[there]
        if a.statement == b.statement:
            continue  # "some echo or reverb"
        if isinstance(a.statement, Value) and isinstance(b.statement, Value) and _near(a.statement, b.statement):
            dropped.add(there)
            continue  # "2.3 or 2.4 seconds"
        if isinstance(a.statement, Not) and isinstance(b.statement, Not):
            continue  # "neither echo nor hiss"
        if type(a.statement) is type(b.statement) and any(a.start <= j <= b.end for j in joints):
            dropped |= {here, there}
    return [f for index, f in enumerate(found) if index not in dropped]


def without_counts(found: list[Found], aloud: list[Found]) -> list[Found]:
    """`found` without the counts that are part of counting `aloud`: "one knock, then another, then another"."""
    if not aloud:
        return found
    start, end = aloud[0].start, aloud[-1].end
    return [f for f in found if not (isinstance(f.statement, Count) and start <= f.start < end)]


def _near(one: Value, other: Value) -> bool:
    return one.quantity is other.quantity and abs(one.value - other.value) <= NEAR * max(one.value, other.value)


def with_turns(found: list[Found], items: list[Item]) -> list[Found]:
    """Joins "rises and then falls" to one statement."""
    joined: list[Found] = []
    for here in found:
        before = joined[-1] if joined else None
        if before is not None and _turns(before.statement, here.statement):
            between = {item.word for item in items if before.end <= item.start < here.end}
            if not _TURNS.isdisjoint(between):
                turn = _turn(before.statement, here.statement)
                joined[-1] = before._replace(statement=turn, end=here.end, uncertain=before.uncertain or here.uncertain)
                continue
        joined.append(here)
    return joined


def _turns(one: Statement, other: Statement) -> bool:
    if not (isinstance(one, Change) and isinstance(other, Change)):
        return False
    same = one.quantity is other.quantity and one.part == other.part
    return same and Relation.SAME not in (one.relation, other.relation) and one.relation is not other.relation


def _turn(one: Statement, other: Statement) -> Turn:
    assert isinstance(one, Change) and isinstance(other, Change)
    return Turn(one.quantity, one.part, one.relation, other.relation)
