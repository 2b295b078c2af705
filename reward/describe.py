"""Statements and values in words, for people."""

from __future__ import annotations

import math

from reward.claims.facts import (
    BEGINNING,
    ENDING,
    Change,
    Comparison,
    Count,
    Counted,
    Not,
    Pace,
    Part,
    Quantity,
    Regular,
    Repeats,
    Side,
    Span,
    Statement,
    Timbre,
    Turn,
    Value,
)

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
    "rich": "many partials",
    "soft": "soft",
    "loud": "loud",
    "noisy": "noisy",
    "clean": "free of noise",
    "broad": "broadband",
    "narrow": "narrowband",
    "chord": "several notes at once",
    "silent": "silence",
    "reverberant": "reverberant",
    "dry": "dry",
    "short": "short",
    "long": "long",
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
    Quantity.CENTROID: {"more": "gets brighter", "less": "gets duller", "same": "keeps its brightness"},
    Quantity.TEMPO: {"more": "speeds up", "less": "slows down", "same": "keeps its pace"},
}
_COMPARED = {
    Quantity.PITCH: {"more": "higher", "less": "lower", "same": "as high"},
    Quantity.LEVEL: {"more": "louder", "less": "quieter", "same": "as loud"},
    Quantity.CENTROID: {"more": "brighter", "less": "duller", "same": "as bright"},
    Quantity.DURATION: {"more": "longer", "less": "shorter", "same": "as long"},
    Quantity.PAUSE: {"more": "longer", "less": "shorter", "same": "as long"},
    Quantity.HARMONICITY: {"more": "less noisy", "less": "noisier", "same": "as noisy"},
    Quantity.TEMPO: {"more": "faster", "less": "slower", "same": "as fast"},
    Quantity.DECAY: {"more": "more reverberant", "less": "drier", "same": "as reverberant"},
}
_UNITS = {"pitch": "Hz", "loudness": "dBFS", "tempo": "BPM", "brightness": "Hz", "speaking rate": "syllables/s"}
_UNIT_OF = {
    Quantity.LOUDNESS: "LUFS", Quantity.PARTIAL: "Hz", Quantity.HARMONICITY: "dB", Quantity.PITCH_RANGE: "semitones",
}  # fmt: skip
_AMOUNTS = {Quantity.PITCH: "semitones", Quantity.LEVEL: "dB", Quantity.DURATION: "s"}


_COUNTS = {
    Counted.EVENTS: ("event", "events"), Counted.PAUSES: ("pause", "pauses"),
    Counted.NOTES: ("note", "notes at once"), Counted.PARTIALS: ("partial", "partials"),
    Counted.SYLLABLES: ("syllable", "syllables"), Counted.REPEATS: ("time the pattern", "times the pattern"),
    Counted.GROUP: ("event a pattern", "events a pattern"),
}  # fmt: skip
_STRETCHES = {
    BEGINNING: "the beginning", ENDING: "the end", Span(0.0, 0.5, True): "the first half",
    Span(0.5, 1.0, True): "the second half",
}  # fmt: skip


def show(quantity: Quantity, value: float) -> str:
    """A value with its unit, to the digits that its error allows."""
    unit = _UNIT_OF.get(quantity) or _UNITS.get(quantity.kind, "s")
    digits = {"Hz": 0, "semitones": 1, "dB": 0, "BPM": 0, "dBFS": 1, "LUFS": 1, "syllables/s": 1}.get(unit, 2)
    return f"{value:.{digits}f} {unit}"


def describe(statement: Statement) -> str:
    """What is claimed."""
    match statement:
        case Not(inner):
            return f"not: {describe(inner)}"
        case Count(value, of, part):
            return f"{_part(part)}{value} {_COUNTS[of][value != 1]}"
        case Value(quantity, part, value):
            return f"{_part(part)}{quantity} {show(quantity, value)}"
        case Comparison(quantity, part, other, relation, amount):
            if quantity is Quantity.PAUSE:
                others = "the others" if other is None else f"pause {other}"
                return f"pause {part} {_COMPARED[quantity][relation]} than {others}"
            much = f"{abs(amount):g} {_AMOUNTS[quantity]} " if amount is not None else ""
            return f"{_name(part)} {much}{_COMPARED[quantity][relation]} than {_name(other)}"
        case Change(quantity, part, relation):
            return f"{_part(part)}{_MOVES[quantity][relation]}"
        case Regular(even):
            return "even gaps" if even else "uneven gaps"
        case Pace(fast, speech):
            return f"{'fast' if fast else 'slow'} {'speech' if speech else 'tempo'}"
        case Repeats():
            return "a pattern repeats"
        case Turn(quantity, part, first, then):
            return f"{_part(part)}{_MOVES[quantity][first]}, then {_MOVES[quantity][then].split(' ', 1)[1]}"
        case Side(where, part):
            return f"{_part(part)}{_SIDES[where]}"
        case Timbre(what, part):
            return f"{_part(part)}{_TIMBRE.get(what, f'{what} wave')}"


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
