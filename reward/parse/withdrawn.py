"""What a trace takes back: "wait, no", "actually, there are three", "that was a mistake"."""

from __future__ import annotations

from itertools import pairwise

from reward.parse.claim import Claim
from reward.parse.qualities import SCALES
from reward.parse.words import Item
from reward.statements import (
    Change,
    Comparison,
    Count,
    Not,
    Pace,
    Quantity,
    Regular,
    Relation,
    Statement,
    Timbre,
    Value,
)

TURN_REACH = 3
"""Sentences after "let me count again" in which the new count is said."""
MAX_BACK = 24
"""Claims before it that a correction may replace."""
_AT_ONCE = frozenset({
    ("wait", "no"), ("no", "wait"), ("actually", "no"), ("no", "actually"), ("scratch", "that"), ("hmm", "no"),
    ("sorry", "no"), ("no", "that's"), ("oh", "no"), ("no", "sorry"), ("or", "rather"), ("no", "scratch"),
    ("no", "make"), ("make", "that"),
})  # fmt: skip
_BACK = frozenset({first for first, _ in _AT_ONCE} | {"correction", ","})
_WRONG = frozenset({
    "wrong", "mistake", "mistaken", "incorrect", "misheard", "miscounted", "misjudged", "misspoke",
})  # fmt: skip
_OWN = frozenset({"i", "that", "that's", "my", "this", "was", "it"})
_TURNS = frozenset({"wait", "actually", "correction", "rather", "sorry", "hmm", "oops"})
_AGAIN = frozenset({"again", "recount", "recheck", "correct", "reconsider", "closer", "closely", "carefully"})
_SECOND = (("second", "thought"), ("second", "thoughts"), ("second", "listen"), ("closer", "listen"))
_MANY = frozenset({Quantity.ONSET, Quantity.OFFSET, Quantity.GAP, Quantity.PAUSE, Quantity.PITCH, Quantity.PARTIAL})
"""Of which a clip may have several, said one after the other."""


def takes_back(tokens: list[Item]) -> bool:
    """True for a sentence that says that what was said last does not stand."""
    first = tokens[0].word
    if first in _OWN:
        return any(token.word in _WRONG for token in tokens)
    if first not in _BACK:
        return False
    words = [token.word for token in tokens[:4] if token.word != ","]
    return tuple(words[:2]) in _AT_ONCE or words[:1] == ["correction"]


def turns(tokens: list[Item]) -> bool:
    """True for a sentence that begins to say it anew: "actually, ...", "let me count again", "on second thought"."""
    words = [token.word for token in tokens[:8]]
    begin = words[:3]
    if "let" in begin:
        return not _AGAIN.isdisjoint(words)
    return not _TURNS.isdisjoint(begin) or ("on" in begin and any(pair in _SECOND for pair in pairwise(words)))


def replaced(claims: list[Claim], said: list[Statement]) -> list[Claim]:
    """`claims` with those unsure that `said` replaces: the same is said to be otherwise."""
    new = dict(filter(None, map(_about, said)))
    return [claim._replace(uncertain=True) if _differs(claim.statement, new) else claim for claim in claims]


def _differs(statement: Statement, new: dict[object, object]) -> bool:
    about = _about(statement)
    return about is not None and new.get(about[0], about[1]) != about[1]


def _about(statement: Statement) -> tuple[object, object] | None:
    """What a statement is about, and what it says of that; None of forms that do not replace each other."""
    match statement:
        case Count(value, of, part):
            return (of, part), value
        case Value(quantity, part, value) if quantity not in _MANY or part is not None:
            return (quantity, part), value
        case Comparison(quantity, int(part), int(other), relation):
            pair = (quantity, min(part, other), max(part, other))
            return pair, relation if part < other else relation.reverse
        case Change(quantity, part, relation):
            return (quantity, part, "course"), relation
        case Not(Timbre() | Pace() | Regular() as inner):
            about = _about(inner)
            return about and (about[0], not about[1])
        case Timbre(what, part) if what in SCALES:
            quantity, relation = SCALES[what]
            return (quantity, part, "quality"), relation is Relation.MORE
        case Timbre(what, part):
            return (what, part), True
        case Pace(fast, speech, part):
            return ("pace", speech, part), fast
        case Regular(even):
            return "regular", even
    return None
