"""Text to tokens, sentence by sentence, in one bounded pass."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from reward.numbers import SMALL, TENS

MAX_TRACE_CHARS = 50_000
"""Text beyond it is not read: about what 10,240 tokens hold, the longest trace of the recipe."""
MAX_TOKENS = 8_000
"""Words, numbers and marks after which a trace is not read on: 10,240 tokens of a model are about 7,700 words."""
MAX_SENTENCE_TOKENS = 400
"""A longer sentence is cut here: nobody speaks so, and rules look around in a sentence."""

_TOKEN = re.compile(
    r"(?P<word>[a-z]\w{0,30}(?:'[a-z]{1,3})?)"
    r"|(?P<ordinal>\b\d{1,2}(?:st|nd|rd|th)\b)"
    r"|(?P<number>(?:(?<![\w.)])[-+])?(?:\d{1,3}(?:,\d{3}){1,2}(?!\d)|\d{1,9})(?:\.\d{1,6})?)"
    r"|(?P<end>[.!?;\n])"
    r"|(?P<mark>[,:()–—-])",
)
_new = tuple.__new__
"""Half the cost of calling Token, for the words of every trace."""
_STRAIGHT = str.maketrans({"’": "'", "−": "-", "–": "-", "—": ",", "“": '"', "”": '"', "\u00a0": " "})
_QUOTED = re.compile(r"\"[^\"\n]{0,200}\"|(?<!\w)'[^'\n]{1,200}'(?!\w)")
_VALUES = {**{word: float(value) for word, value in SMALL.items()}, **{w: float(v) for w, v in TENS.items()}}
_VALUES |= {"twice": 2.0, "thrice": 3.0}


class Token(NamedTuple):
    """A word in lower case, a number, or a mark, and where it stands."""

    word: str
    start: int
    end: int
    number: float | None = None


class Sentence(NamedTuple):
    """Tokens up to an end mark."""

    tokens: list[Token]
    question: bool


def sentences(text: str) -> tuple[str, Iterator[Sentence]]:
    """The text that token positions refer to, and its sentences. What stands in double quotes is left out."""
    text = text[:MAX_TRACE_CHARS].translate(_STRAIGHT)
    lowered = text.lower()
    if len(lowered) != len(text):  # a few capital letters have longer small ones: positions would drift
        text = lowered
    bare = _QUOTED.sub(lambda match: " " * len(match.group(0)), lowered)
    return text, _sentences(bare)


def _sentences(text: str) -> Iterator[Sentence]:
    tokens: list[Token] = []
    for match in islice(_TOKEN.finditer(text), MAX_TOKENS):
        kind, word = match.lastgroup, match[0]
        start, end = match.span()
        if kind == "word":
            tokens.append(_new(Token, (word, start, end, _VALUES.get(word))))
        elif kind == "end":
            if tokens:
                yield Sentence(tokens, word == "?")
            tokens = []
            continue
        elif kind == "number":
            tokens.append(Token(word, start, end, float(word.replace(",", ""))))
        elif word != "-" or (tokens and tokens[-1].number is not None):
            tokens.append(Token(word, start, end))  # a hyphen is a range between numbers, and nothing between words
        if len(tokens) >= MAX_SENTENCE_TOKENS:
            yield Sentence(tokens, False)
            tokens = []
    if tokens:
        yield Sentence(tokens, False)
