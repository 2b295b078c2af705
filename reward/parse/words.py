"""Text to tokens, sentence by sentence, in one bounded pass."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from reward.numbers import SMALL, TENS
from reward.parse.lexicon.units import UNITS
from reward.parse.meanings import Meaning

MAX_TRACE_CHARS = 50_000
"""Text beyond it is not read: about what 10,240 tokens hold, the longest trace of the recipe."""
MAX_TOKENS = 8_000
"""Words, numbers and marks after which a trace is not read on: 10,240 tokens of a model are about 7,700 words."""
MAX_SENTENCE_TOKENS = 400
"""A longer sentence is cut here: nobody speaks so, and rules look around in a sentence."""

_TOKEN = re.compile(
    r" {0,8}+(?:"  # in the match, because a search that starts at every space takes twice as long
    r"(?P<word>[a-z]\w{0,30}+(?:'[a-z]{1,3})?)"
    r"|(?P<ordinal>\b\d{1,2}(?:st|nd|rd|th)\b)"
    r"|(?P<clock>(?<![\w:.])\d{1,2}:\d\d(?:\.\d{1,3})?(?![\w:]))"
    r"|(?P<number>(?:(?<![\w.)])[-+])?(?:\d{1,3}(?:,\d{3}){1,2}(?!\d)"
    r"|(?<![,\d])\d{1,3},\d{1,2}(?= ?(?:s|ms|sec|seconds|k?hz|db)\b)|\d{1,9})(?:\.\d{1,6})?)"
    r"|(?P<end>[!?;\n]|\.(?!\d))"
    r"|(?P<mark>[,:()–—+=-])"
    r"|(?P<share>(?<![\w.])\.\d{1,6}))",
)
MOST_DECIMALS = 3
"""Characters from the comma of "2,5" on: with more it parts thousands."""
_new = tuple.__new__
"""Half the cost of calling Item, for the words of every trace."""
_STRAIGHT = str.maketrans({"’": "'", "−": "-", "–": "-", "—": ",", "→": "-", "“": '"', "”": '"', "\u00a0": " "})
_QUOTED = re.compile(r'"[^"\n]{0,200}"')
_SINGLE_QUOTED = re.compile(r"'(?<!\w')[^'\n]{1,200}'(?!\w)")
_ABBREVIATED = [
    (short, short.replace(".", " "))
    for short in ("e.g.", "i.e.", " approx.", " ca.", " vs.", " resp.", "(approx.", "(ca.")
]
"""Their dots end no sentence."""
_ABBREVIATED += [(name, " " * len(name)) for name in (" t = ", " t=", "(t = ", "(t=")]
"""Before "1.5 s"."""
_ENDS = frozenset(".!?")
_VALUES = {**{word: float(value) for word, value in SMALL.items()}, **{w: float(v) for w, v in TENS.items()}}
_VALUES |= {"twice": 2.0, "thrice": 3.0}


class Item(NamedTuple):
    """A word, number or mark of a text; or, after `items_of`, a phrase with a meaning or a number with its unit."""

    word: str
    """Its first word, in lower case."""
    start: int
    """First character."""
    end: int
    """Character after the last."""
    meaning: Meaning | None = None
    number: float | None = None
    unit: str = ""
    """Hz, dB, s, bpm, st (semitones), LUFS, syl (syllables a second), % or "" of a number."""


class Sentence(NamedTuple):
    """Words, numbers and marks up to an end mark."""

    tokens: list[Item]
    question: bool


def sentences(text: str) -> tuple[str, Iterator[Sentence]]:
    """The text that positions refer to, and its sentences. What stands in quotes is left out."""
    text = text[:MAX_TRACE_CHARS].translate(_STRAIGHT)
    lowered = text.lower()
    if len(lowered) != len(text):  # a few capital letters have longer small ones: positions would drift
        text = lowered
    for short, blanks in _ABBREVIATED:
        lowered = lowered.replace(short, blanks)
    return text, _sentences(_SINGLE_QUOTED.sub(_blank, _QUOTED.sub(_blank, lowered)))


def _blank(match: re.Match[str]) -> str:
    """As many spaces; a sentence that ends in the quotation ends there."""
    blank = " " * len(match[0])
    return blank[:-1] + "." if match[0][-2:-1] in _ENDS else blank


def _sentences(text: str) -> Iterator[Sentence]:
    tokens: list[Item] = []
    value_of = _VALUES.get
    for match in islice(_TOKEN.finditer(text), MAX_TOKENS):
        kind = match.lastgroup
        word, end = match[match.lastindex or 0], match.end()
        if kind == "word":
            tokens.append(_new(Item, (word, end - len(word), end, None, value_of(word), "")))
        elif kind == "end":
            yield from _pieces(tokens, word == "?")
            tokens = []
        elif kind == "clock":
            minutes, seconds = word.split(":")
            tokens.append(Item(word, end - len(word), end, None, 60.0 * int(minutes) + float(seconds), "s"))
        elif kind == "number" or kind == "share":
            tokens.append(Item(word, end - len(word), end, None, _figures(word)))
        elif word != "-" or (tokens and (tokens[-1].number is not None or _is_unit(tokens))):
            # A hyphen is a range between numbers, and nothing between words.
            tokens.append(Item(word, end - len(word), end))
    yield from _pieces(tokens, False)


def _is_unit(tokens: list[Item]) -> bool:
    return len(tokens) > 1 and tokens[-1].word in UNITS and tokens[-2].number is not None


def _figures(word: str) -> float:
    """The value of "1,200" and of "2,5"."""
    decimal = "," in word and "." not in word and len(word) - word.index(",") <= MOST_DECIMALS
    return float(word.replace(",", "." if decimal else ""))


def _pieces(tokens: list[Item], question: bool) -> Iterator[Sentence]:
    """A sentence, cut where it is too long; nothing for no tokens."""
    for begin in range(0, len(tokens), MAX_SENTENCE_TOKENS):
        yield Sentence(tokens[begin : begin + MAX_SENTENCE_TOKENS], question)
