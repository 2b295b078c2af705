"""What is said in the clip, by its quotation: "the speaker says 'hello'", "I hear the word 'stop'"."""

from __future__ import annotations

import re

from reward.parse.discourse import foreign
from reward.parse.found import Found
from reward.parse.meanings import Word
from reward.parse.words import Item
from reward.statements import Not, Spoken

MAX_WORDS_CHARS = 120
"""Of a longer quotation the recogniser would have to hear too much right."""
REACH = 4
"""Items between such a word and who says it, or a negation."""
_SAYS = frozenset({"says", "say", "said", "saying", "utters", "uttering", "shouts", "shouting", "whispers", "speaks"})
_NAMES = frozenset({"word", "words", "phrase", "sentence"})
_SPEAKERS = frozenset({
    "speaker", "voice", "man", "woman", "person", "someone", "somebody", "he", "she", "they", "child", "boy", "girl",
    "announcer", "narrator", "caller", "people",
})  # fmt: skip
_HEAR = frozenset({"hear", "heard"})
_HEARD = _SAYS | _HEAR | {"spoken", "audible", "repeated", "repeats", "clearly"}
_NOT_OF_CLIP = frozenset({"means", "meaning", "if", "should", "would"})
_QUOTED = re.compile(
    rf"""[\s:,]{{0,3}}(?:"([^"\n]{{1,{MAX_WORDS_CHARS}}})"|'(?!\s)([^\n"]{{1,{MAX_WORDS_CHARS}}}?)'(?!\w))"""
)
_EDGES = re.compile(r"^\W+|\W+$")
_BARE = re.compile(
    r"\s((?!(?:that|something|it|the|an?|what|this|so|nothing|anything|to|in|at)\b)\w{1,30}(?: \w{1,30})?)"
    r"\s{0,3}(?=[.,;!\n]|$)"
)


def said_in(items: list[Item], tokens: list[Item], text: str, uncertain: bool) -> list[Found]:
    """The statements of what is said in a sentence of `items`, made of `tokens`, which stands in `text`."""
    words = {item.word for item in items}
    if words.isdisjoint(_HEARD) or not words.isdisjoint(_NOT_OF_CLIP):
        return []
    if "i" in words and words.isdisjoint(_HEAR):
        return []  # "I say"
    found: list[Found] = []
    aside = foreign(tokens)  # "the user says": its end is before the quotation
    for index, item in enumerate(items):
        speaks = item.word in _SAYS
        if not (speaks or item.word in _NAMES) or any(start <= item.start < end for start, end in aside):
            continue
        match = _QUOTED.match(text, item.end)
        if match is None and speaks and any(i.word in _SPEAKERS for i in items[max(0, index - REACH) : index]):
            match = _BARE.match(text, item.end)
        said = _EDGES.sub("", next(group for group in match.groups() if group)) if match else ""
        if match is None or not said:
            continue
        near = items[max(0, index - REACH) : index + 1 + REACH]
        denied = any(one.meaning is Word.NEGATION for one in near)
        statement = Spoken(said)
        found.append(Found(Not(statement) if denied else statement, item.start, match.end(), uncertain))
    return found
