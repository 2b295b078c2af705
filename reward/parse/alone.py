"""What the noun of a quantity says without a number: "no pause", "a silence follows", "no difference in pitch"."""

from __future__ import annotations

from reward.parse.around import Around
from reward.parse.focus import Focus
from reward.statements import Comparison, Count, Counted, Not, Quantity, Relation

_EQUALLED = frozenset({
    Quantity.PITCH, Quantity.LEVEL, Quantity.DURATION, Quantity.TEMPO, Quantity.CENTROID, Quantity.DECAY,
})  # fmt: skip
"""In which two clips may not differ."""
_SOME = Not(Count(0, Counted.PAUSES))


def said_alone(around: Around, focus: Focus, position: int, quantity: Quantity, negated: bool) -> Not | None:
    """The statement, without the negation before it, of the noun at `position`."""
    before = around.word(position - 1)
    if quantity is Quantity.PAUSE:
        none = (before == "no" or (before == "any" and negated)) and around.no_number(position)
        if none or around.follows(position):
            return _SOME
        # Of two joined clips the question says that.
        return _SOME if not focus.clips and around.is_silence_between(position) else None
    differs = before in ("in", "of") and around.word(position - 2) in ("difference", "differ")
    if differs and negated and focus.clips and quantity in _EQUALLED:
        return Not(Comparison(quantity, 1, 2, Relation.SAME))
    return None
