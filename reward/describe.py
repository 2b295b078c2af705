"""Statements and values in words, for people."""

from __future__ import annotations

from reward.claims.facts import Change, Comparison, Count, Not, Part, Quantity, Regular, Side, Statement, Timbre, Value

_TIMBRE = {
    "odd": "odd partials only",
    "all": "odd and even partials",
    "unpitched": "no pitch",
    "pitched": "a clear pitch",
    "noise": "noise",
    "bright": "bright",
    "dull": "dull",
    "high": "high-pitched",
    "low": "low-pitched",
}
_SIDES = {
    "left": "on the left",
    "right": "on the right",
    "middle": "in the middle",
    "rightward": "moves from left to right",
    "leftward": "moves from right to left",
}
_MOVES = {
    Quantity.PITCH: {"more": "pitch rises", "less": "pitch falls", "same": "pitch stays level"},
    Quantity.LEVEL: {"more": "level rises", "less": "level falls", "same": "level stays"},
    Quantity.TEMPO: {"more": "speeds up", "less": "slows down", "same": "keeps its pace"},
}
_COMPARED = {
    Quantity.PITCH: {"more": "higher", "less": "lower", "same": "as high"},
    Quantity.LEVEL: {"more": "louder", "less": "quieter", "same": "as loud"},
    Quantity.CENTROID: {"more": "brighter", "less": "duller", "same": "as bright"},
    Quantity.DURATION: {"more": "longer", "less": "shorter", "same": "as long"},
}
_UNITS = {"pitch": "Hz", "loudness": "dBFS", "tempo": "BPM", "brightness": "Hz", "speaking rate": "syllables/s"}
_AMOUNTS = {Quantity.PITCH: "semitones", Quantity.LEVEL: "dB", Quantity.DURATION: "s"}


def show(quantity: Quantity, value: float) -> str:
    """A value with its unit, to the digits that its error allows."""
    unit = "LUFS" if quantity is Quantity.LOUDNESS else _UNITS.get(quantity.kind, "s")
    digits = {"Hz": 0, "BPM": 0, "dBFS": 1, "LUFS": 1, "syllables/s": 1}.get(unit, 2)
    return f"{value:.{digits}f} {unit}"


def describe(statement: Statement) -> str:
    """What is claimed."""
    match statement:
        case Not(inner):
            return f"not: {describe(inner)}"
        case Count(value):
            return f"{value} event{'' if value == 1 else 's'}"
        case Value(quantity, part, value):
            return f"{_part(part)}{quantity} {show(quantity, value)}"
        case Comparison(quantity, part, other, relation, amount):
            much = f"{abs(amount):g} {_AMOUNTS[quantity]} " if amount is not None else ""
            return f"{_name(part)} {much}{_COMPARED[quantity][relation]} than {_name(other)}"
        case Change(quantity, part, relation):
            return f"{_part(part)}{_MOVES[quantity][relation]}"
        case Regular(even):
            return "even gaps" if even else "uneven gaps"
        case Side(where):
            return _SIDES[where]
        case Timbre(what, part):
            return f"{_part(part)}{_TIMBRE.get(what, f'{what} wave')}"


def _part(part: Part) -> str:
    return "" if part is None else f"{_name(part)}: "


def _name(part: Part) -> str:
    return "the others" if part is None else "last" if part == -1 else f"event {part}"
