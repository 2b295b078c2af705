"""Claims of a trace, in the order in which they are made."""

from __future__ import annotations

import re
from itertools import pairwise

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.claims.facts import Claim, Count, Part, Statement
from reward.claims.items import items_of
from reward.claims.meanings import Word
from reward.claims.reader import Found, Reader
from reward.claims.words import MAX_TRACE_CHARS, Sentence, sentences

MAX_CLAIMS = 256
"""More claims are not read: a trace of 500 words makes fewer than 100."""

_ABOUT_WORDS = frozenset(
    ["question", "questions", "option", "options", "choice", "choices", "asks", "asked", "whether", "answers"]
)
"""Sentences with these speak of the question, not of the sound."""
_CHOICE_LINE = re.compile(r"^[ \t]*\(?[A-Ha-h][.):][ \t]+[^\n]{0,300}$", re.MULTILINE)
"""A choice copied with its letter."""
_PRONOUNS = frozenset({"it", "its", "this", "that"})
"""A sentence that begins so goes on about the part of the one before."""


def extract_claims(reasoning: str, prompt: trajectory_pb2.Prompt) -> list[Claim]:
    """Claims of `reasoning` about the sound.

    Questions, copied choices, quotations, alternatives ("rises or falls") and what the question itself presupposes
    ("which of the two tones") are none.
    """
    return claims_in(reasoning, presupposed(prompt.question))


def claims_in(text: str, known: frozenset[Statement] = frozenset()) -> list[Claim]:
    """Claims of `text` except those in `known`."""
    # As long as before: positions in the text must stay.
    text = _CHOICE_LINE.sub(lambda line: " " * len(line.group(0)), text[:MAX_TRACE_CHARS])
    text, parts = sentences(text)
    claims: list[Claim] = []
    part: Part = None
    for sentence in parts:
        if sentence.question or not _ABOUT_WORDS.isdisjoint([token.word for token in sentence.tokens]):
            continue
        carried = part if sentence.tokens[0].word in _PRONOUNS else None
        reader = Reader(items_of(sentence.tokens), carried)
        found = reader.read()
        part = reader.part
        claims += [
            Claim(text[f.start : f.end].strip(" ,:-"), f.statement, f.uncertain)
            for f in _without_alternatives(found, reader)
            if not known or f.statement not in known  # hashing a statement costs as much as reading it
        ]
        if len(claims) >= MAX_CLAIMS:
            break
    return claims[:MAX_CLAIMS]


def presupposed(question: str) -> frozenset[Statement]:
    """Statements that the question makes: of an interrogative sentence only the counts it takes for granted."""
    _, parts = sentences(question)
    found = [(sentence, f.statement) for sentence in parts for f in _read(sentence)]
    return frozenset(s for sentence, s in found if not sentence.question or isinstance(s, Count))


def _read(sentence: Sentence) -> list[Found]:
    return Reader(items_of(sentence.tokens), None).read()


def _without_alternatives(found: list[Found], reader: Reader) -> list[Found]:
    """Drops neighbours of one kind with "or" between them: nothing is claimed by naming both."""
    joints = [item.start for item in reader.items if item.meaning is Word.OR]
    if not joints:
        return found
    dropped = set()
    for here, there in pairwise(range(len(found))):
        a, b = found[here], found[there]
        if type(a.statement) is type(b.statement) and any(a.start <= j <= b.end for j in joints):
            dropped |= {here, there}
    return [f for index, f in enumerate(found) if index not in dropped]
