"""What may be said in place of a statement by someone who has not listened: of its form, about the same part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reward.families import QUALITIES, own_of
from reward.statements import (
    Alone,
    Change,
    Comparison,
    Not,
    Relation,
    Statement,
    Timbre,
    Turn,
)


def alternatives(
    statement: Change | Comparison | Turn | Timbre | Alone,
) -> Sequence[Statement]:
    """The statement and its alternatives, each as likely as the others."""
    match statement:
        case Change():
            return [replace(statement, relation=relation) for relation in Relation]
        case Comparison(relation=relation):
            ways = {Relation.MORE, Relation.LESS, relation}
            return [replace(statement, relation=way) for way in ways]
        case Turn(first=first, then=then):
            return [statement, replace(statement, first=then, then=first)]
        case Timbre(what):
            others: Sequence[Statement] = [Timbre(other, statement.part) for other in QUALITIES[what].others]
        case Alone():
            others = own_of(statement).others(statement)
    return [statement, *(others or [Not(statement)])]
