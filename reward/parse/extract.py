"""Claims of a trace, in the order in which they are made."""

from __future__ import annotations

import re

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.parse.claim import Claim
from reward.parse.discourse import foreign
from reward.parse.found import Found, with_turns, without_alternatives
from reward.parse.items import items_of
from reward.parse.reader import Reader
from reward.parse.words import MAX_TRACE_CHARS, Item, Sentence, sentences
from reward.statements import Count, Counted, Part, Statement

MAX_CLAIMS = 256
"""More claims are not read: a trace of 500 words makes fewer than 100."""

_INTERROGATIVES = frozenset({
    "which", "what", "who", "whose", "where", "when", "how", "does", "do", "did", "is", "are", "was", "were", "has",
    "have", "can", "could", "would", "should", "will",
})  # fmt: skip
"""A sentence that begins so is a question, also without its mark."""
_SPEAKERS = frozenset({"i", "we", "you", "can"})
"""After "what" or "how": "what I hear is" begins a statement."""
_CHOICE_LINE = re.compile(r"^[ \t]*\(?[A-Ha-h][.):][ \t]+[^\n]{0,300}$", re.MULTILINE)
"""A choice copied with its letter."""
_INLINE_CHOICES = re.compile(r"\([A-Ha-h]\)[^\n()]{0,200}(?:\([A-Ha-h]\)[^\n().]{0,200})+")
"""Choices copied in a row: "(A) rises (B) falls"."""
_CLIPS = re.compile(r"\b(?:clips|segments|recordings|excerpts|parts|audios|one|stimulus|part|segment|clip)\b")
MAX_QUESTION_CHARS = 2_000
_PARTS = frozenset({"part", "section", "sound", "portion", "half"})
_ORDINALS = frozenset({"first", "second"})
_LETTERS = {"a": "first", "b": "second"}
_VERBS = frozenset({"is", "has", "sounds", "seems", "was", "had", "feels"})
_TAKEN_BACK = frozenset({
    ("wait", "no"), ("no", "wait"), ("actually", "no"), ("no", "actually"), ("scratch", "that"), ("hmm", "no"),
    ("sorry", "no"), ("no", "that's"), ("oh", "no"), ("no", "sorry"),
})  # fmt: skip
_OF_BOTH = frozenset({"both", "either", "neither", "each", "two", "them", "they", "other", "another"})
"""In a sentence with these the clip named last is not what is spoken of."""
_PRONOUNS = frozenset({"it", "its", "this", "that"})
"""A sentence that begins so goes on about the part of the one before."""


def extract_claims(reasoning: str, prompt: trajectory_pb2.Prompt) -> list[Claim]:
    """Claims of `reasoning` about the sound.

    Questions, copied choices, quotations, alternatives ("rises or falls") and what the question itself presupposes
    ("which of the two tones") are none.
    """
    return claims_in(reasoning, presupposed(prompt.question), of_two_clips(prompt.question))


def of_two_clips(question: str) -> bool:
    """True if a question is about two clips, one after the other: what is said goes on about the one named last."""
    return _CLIPS.search(question[:MAX_QUESTION_CHARS].lower()) is not None and "first" in question


def claims_in(text: str, known: frozenset[Statement] = frozenset(), two_clips: bool = False) -> list[Claim]:
    """Claims of `text` except those in `known`."""
    # As long as before: positions in the text must stay.
    text = _CHOICE_LINE.sub(_blank, text[:MAX_TRACE_CHARS])
    if "(" in text and not two_clips:  # there "the first (A) ... the second (B)" are the clips
        text = _INLINE_CHOICES.sub(_blank, text)
    text, parts = sentences(text)
    claims: list[Claim] = []
    part: Part = None
    last = 0  # of the claims of the sentence before
    for sentence in parts:
        if _is_question(sentence):
            continue
        if two_clips:
            name_clips(sentence.tokens)
        going_on = two_clips and not any(token.word in _OF_BOTH for token in sentence.tokens)
        carried = part if going_on or sentence.tokens[0].word in _PRONOUNS else None
        reader = Reader(items_of(sentence.tokens), carried)
        found = reader.read()
        part = reader.focus.part
        if _takes_back(sentence.tokens):
            claims[last:] = [claim._replace(uncertain=True) for claim in claims[last:]]
        found = heard(found, sentence.tokens)
        if len(found) > 1:
            found = with_turns(without_alternatives(found, reader.items), reader.items)
        last = len(claims) if found else last
        claims += [
            Claim(text[f.start : f.end].strip(" ,:-"), f.statement, f.uncertain)
            for f in found
            if not known or f.statement not in known  # hashing a statement costs as much as reading it
        ]
        if len(claims) >= MAX_CLAIMS:
            break
    return claims[:MAX_CLAIMS]


def presupposed(question: str) -> frozenset[Statement]:
    """Statements that the question makes: of an interrogative sentence only the counts it takes for granted."""
    _, parts = sentences(question)
    known: set[Statement] = set()
    for sentence in parts:
        found = _read(sentence)
        stated = [] if _is_question(sentence) else heard(found, sentence.tokens)
        known |= {f.statement for f in found if isinstance(f.statement, Count)}
        known |= {f.statement for f in stated if not f.uncertain}  # "determine if it is bright" presupposes nothing
    # "of the two tones" also says that there are two where they are spoken of in other words.
    return frozenset(known | {Count(s.value) for s in known if isinstance(s, Count) and s.of is Counted.EVENTS})


def name_clips(tokens: list[Item]) -> None:
    """Where two clips are compared, "the first part", "sound B" and "A is" stand for them: says so in `tokens`."""
    for index, token in enumerate(tokens):
        before = tokens[index - 1].word if index else ""
        after = tokens[index + 1].word if index + 1 < len(tokens) else ""
        if token.word in _PARTS and (before in _ORDINALS or after in _LETTERS):
            tokens[index] = token._replace(word="clip")
        elif token.word in _LETTERS and after in _VERBS and before != "clip":
            tokens[index] = token._replace(word=_LETTERS[token.word])


def _takes_back(tokens: list[Item]) -> bool:
    """True for a sentence that begins with "wait, no" and the like: what was said last does not stand."""
    words = tuple(token.word for token in tokens[:4] if token.word != ",")
    return words[:2] in _TAKEN_BACK or words[:1] == ("correction",)


def heard(found: list[Found], tokens: list[Item]) -> list[Found]:
    """Those of `found`, read from a sentence of `tokens`, that say what is heard in the clip."""
    aside = foreign(tokens) if found else []
    return [f for f in found if not any(start < f.end <= end for start, end in aside)] if aside else found


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group(0))


def _is_question(sentence: Sentence) -> bool:
    if sentence.question:
        return True
    words = [token.word for token in sentence.tokens[:2]]
    return words[0] in _INTERROGATIVES and not (len(words) > 1 and words[1] in _SPEAKERS)


def _read(sentence: Sentence) -> list[Found]:
    return Reader(items_of(sentence.tokens), None).read()
