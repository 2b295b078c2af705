"""Rules over kinds of word: a sentence is read as the kinds of its words, and a rule is a short row of kinds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_WORD = re.compile(
    r"\"\w+ [^\"]{1,200}\""  # what is quoted, if it is more than a word
    r"|n't|can(?=not\b)|[a-z]+?(?=n't)"
    r"|[a-z]+(?:-[a-z]+)*|'(?:s|m|re|ve|d|ll)\b|\d+(?:/\d+)?"
    r"|[,;:()–—…]|-(?= )"
)
_NAME = re.compile(r"[A-Za-z'][A-Za-z'_-]*")
_OTHER, _END = "x", "."
_FIRST_KIND = 0x100
"""Kinds are single characters from here on, apart from `_OTHER` and `_END`."""


class Phrases:
    """Finds the first phrase of a sentence that one of its rules describes.

    `kinds` names the words of each kind, `dropped` the words that say nothing here ("the", "actually"): the rules never
    see them. A rule is a row of

    - `kind` or `kind|kind`: one word of these; a name that is no kind is that very word. With `?` it may be missing,
      with `+` there may be up to four,
    - `~n`: up to n words, no comma among them,
    - `$`: here the clause ends, or goes on with a word of the kind `stop` or `present`,
    - `^`: here it starts,
    - `!kind|kind`: the next word is none of these; `<kind`: nor is the one before.

    What stands in quotation marks, if it is more than a word, is another's and one word of no kind.

    Nothing in a rule is unbounded, so a sentence costs time in proportion to its words.
    """

    def __init__(self, kinds: Mapping[str, str], dropped: str, rules: Sequence[str]) -> None:
        self._letters = {kind: chr(_FIRST_KIND + i) for i, kind in enumerate(kinds)}
        self._kind_of = {word: self._letters[kind] for kind, words in kinds.items() for word in words.split()}
        for word in sorted({name for rule in rules for name in _NAME.findall(rule)} - kinds.keys()):
            if word in self._kind_of:
                raise ValueError(f"rules name the word {word!r}, which has a kind")
            self._letters[word] = self._kind_of[word] = chr(_FIRST_KIND + len(self._letters))
        self._dropped = frozenset(dropped.split())
        self._rules = re.compile("|".join(f"(?:{self._compiled(rule)})" for rule in rules))

    def find(self, sentence: str) -> str:
        """The words of the first phrase found, as they stand in `sentence`; empty if there is none."""
        kinds, spans = [], []
        for word in _WORD.finditer(sentence.lower()):
            text = word.group()
            if text in self._dropped:
                continue
            letter = _OTHER if text[0].isalnum() or text[0] in "'\"" else _END
            kinds.append(self._kind_of.get(text, letter))
            spans.append(word.span())
        found = self._rules.search("".join(kinds))
        if not found:
            return ""
        return sentence[spans[found.start()][0] : spans[found.end() - 1][1]]

    def _compiled(self, rule: str) -> str:
        return "".join(self._part(part) for part in rule.split())

    def _part(self, part: str) -> str:
        stop = _END + self._letters["stop"] + self._letters["present"]
        if part == "$":
            return f"(?=[{stop}]|$)"
        if part == "^":
            return f"(?:(?<=[{stop}])|^)"
        if part[0] == "~":
            return f"[^{_END}]{{0,{int(part[1:])}}}"
        if part[0] in "!<":
            return f"(?{'<' if part[0] == '<' else ''}![{self._any(part[1:])}])"
        names = part.rstrip("+?")
        count = {"": "", "?": "?", "+": "{1,4}", "+?": "{0,4}"}[part[len(names) :]]
        return f"[{self._any(names)}]{count}"

    def _any(self, names: str) -> str:
        return "".join(_END if name == "," else self._letters[name] for name in names.split("|"))
