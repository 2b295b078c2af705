"""The families of claims, one file each: statements, units, tolerances, checks, words, what the picture draws.

The registry: whatever is asked of a statement is answered by its family.
"""

from __future__ import annotations

from typing import assert_never

from reward.families import (
    brightness,
    chord,
    count,
    duration,
    loudness,
    noisiness,
    pauses,
    pitch,
    regularity,
    repetition,
    reverberation,
    source,
    speaking_rate,
    speech,
    stereo,
    tempo,
    timbre,
    timing,
    words,
)
from reward.families.base import Compared, Counts, Family, Moves, Number, Own, Quality
from reward.statements import (
    Alone,
    Bound,
    Change,
    Comparison,
    Count,
    Counted,
    Not,
    Quantity,
    Statement,
    Timbre,
    Turn,
    Value,
)

FAMILIES: tuple[Family, ...] = tuple(
    room.FAMILY
    for room in (
        pitch,
        loudness,
        count,
        duration,
        timing,
        pauses,
        tempo,
        regularity,
        repetition,
        timbre,
        noisiness,
        chord,
        brightness,
        speaking_rate,
        speech,
        source,
        words,
        stereo,
        reverberation,
    )
)

NUMBERS: dict[Quantity, Number] = {q: number for family in FAMILIES for q, number in family.numbers.items()}
COMPARED: dict[Quantity, Compared] = {q: compared for family in FAMILIES for q, compared in family.compared.items()}
MOVES: dict[Quantity, Moves] = {q: moves for family in FAMILIES for q, moves in family.moves.items()}
QUALITIES: dict[str, Quality] = {what: quality for family in FAMILIES for what, quality in family.qualities.items()}
COUNTS: dict[Counted, Counts] = {of: counts for family in FAMILIES for of, counts in family.counts.items()}


def family_of(statement: Statement) -> Family:
    """Whose a statement is."""
    match statement:
        case Not(inner):
            return family_of(inner)
        case Value(quantity) | Bound(quantity) | Comparison(quantity) | Change(quantity) | Turn(quantity):
            return next(family for family in FAMILIES if quantity in family.numbers)
        case Count(_, of):
            return next(family for family in FAMILIES if of in family.counts)
        case Timbre(what):
            return next(family for family in FAMILIES if what in family.qualities)
        case Alone():
            return next(family for family in FAMILIES if family.own and family.own.is_mine(statement))
    assert_never(statement)


def own_of(statement: Alone) -> Own:
    """What its family says of a form that no other has."""
    return next(family.own for family in FAMILIES if family.own and family.own.is_mine(statement))
