"""Claims of a trace, in the order in which they are made."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.parse.aloud import counted_aloud
from reward.parse.asked import MAX_QUESTION_CHARS, NOTHING_ASKED, Asked, asked_by
from reward.parse.claim import Claim
from reward.parse.clips import Clips
from reward.parse.discourse import foreign
from reward.parse.found import Found, with_turns, without_alternatives, without_counts
from reward.parse.items import items_of
from reward.parse.kinds import of_one_kind
from reward.parse.reader import Reader
from reward.parse.said import said_in
from reward.parse.unread import MAX_UNREAD, Unread, unread_in
from reward.parse.withdrawn import MAX_BACK, TURN_REACH, replaced, takes_back, turns
from reward.parse.words import MAX_TRACE_CHARS, Item, Sentence, sentences
from reward.recognise.heard import tells_sources, tells_words
from reward.statements import Count, Counted, Part, Statement

MAX_CLAIMS = 256
"""More claims are not read: a trace of 500 words makes fewer than 100."""

_INTERROGATIVES = frozenset({
    "which", "what", "who", "whose", "where", "when", "how", "does", "do", "did", "is", "are", "was", "were", "has",
    "had",    "have", "can", "could", "would", "should", "will",
})  # fmt: skip
"""A sentence that begins so is a question, also without its mark, or a condition: "had it been louder"."""
_SPEAKERS = frozenset({"i", "we", "you", "can"})
"""After "what" or "how": "what I hear is" begins a statement."""
_INSTRUCTIONS = frozenset({
    "enter", "answer", "reply", "respond", "choose", "select", "indicate", "consider", "classify", "judge", "determine",
    "decide", "describe", "identify", "label", "pick", "say", "write", "give", "output", "return", "state", "if",
})  # fmt: skip
_ORDERS = _INSTRUCTIONS - {"say", "state", "if", "describe", "write"}
"""A sentence of the trace that begins so repeats an instruction."""
_SUPPOSED = (["the"], ["it"], ["that"], ["there"], ["we"], ["it's"], ["there's"])
"""After "say": it is only supposed."""
_LETTER = r"[\"'(]?\b[A-Ha-h]\b[\"')]?:? {0,2}(?:for|if|means|=|refers|when) "
_ANSWERS = re.compile(rf"{_LETTER}[^.\n]{{1,60}}?{_LETTER}[^.,;\n]{{0,40}}")
"""What each letter stands for: "'A' for bright or 'B' for dark"."""
_WONDERS = frozenset({"maybe", "perhaps"})
_BEFORE_ASKING = frozenset({",", "but", "so", "and", "or"})
_CHOICE_LINE = re.compile(r"^[ \t]*\(?[A-Ha-h][.):][ \t]+[^\n]{0,300}$", re.MULTILINE)
"""A choice copied with its letter."""
_INLINE_CHOICES = re.compile(r"\([A-Ha-h]\)[^\n()]{0,200}(?:\([A-Ha-h]\)[^\n().]{0,200})+")
"""Choices copied in a row: "(A) rises (B) falls"."""
_PRONOUNS = frozenset({"it", "its", "this", "that"})
"""A sentence that begins so goes on about the part of the one before."""


@dataclass
class Reading:
    """What was read of a trace, in the order in which it was said."""

    claims: list[Claim] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    """Statements about the sound, said as heard, that no claim was read from."""
    by: str = ""
    """Who read, if it was not simply the rules."""


def extract_claims(reasoning: str, prompt: trajectory_pb2.Prompt) -> list[Claim]:
    """Claims of `reasoning` about the sound.

    Questions, copied choices, quotations, alternatives ("rises or falls") and what the question itself presupposes
    ("which of the two tones") are none.
    """
    return claims_in(reasoning, presupposed(prompt.question), asked_by(prompt))


def read_trace(reasoning: str, prompt: trajectory_pb2.Prompt) -> Reading:
    """Claims of `reasoning`, and what it says of the sound in words that were not read."""
    return _reading(reasoning, presupposed(prompt.question), asked_by(prompt))


def claims_in(text: str, known: frozenset[Statement] = frozenset(), asked: Asked = NOTHING_ASKED) -> list[Claim]:
    """Claims of `text`, given what was asked, except those in `known`."""
    return _reading(text, known, asked).claims


def _reading(text: str, known: frozenset[Statement], asked: Asked) -> Reading:
    text, parts = sentences(_without_choices(text[:MAX_TRACE_CHARS], asked))
    reading = Reading()
    claims = reading.claims
    part: Part = None
    clips = Clips() if asked.two_clips else None
    last = turned = 0  # of the claims of the sentence before; sentences in which claims may be said anew
    for sentence in map(_stated, parts):
        if _is_question(sentence) or sentence.tokens[0].word in _ORDERS:
            continue
        carried = part if sentence.tokens[0].word in _PRONOUNS else None
        unclear = False
        if clips is not None:
            unclear = asked.apart and clips.is_of_a_sound(sentence.tokens)
            clips.name(sentence.tokens, part)
            carried = clips.carried(sentence.tokens, part)
        reader = Reader(items_of(sentence.tokens), carried, asked, tells_sources())
        found = reader.read()
        if tells_words():
            found += said_in(reader.items, sentence.tokens, text, reader.uncertain)
        if clips is not None:
            clips.note(sentence.tokens, carried)
        part = reader.focus.part if carried == part or reader.focus.part is not None or clips is None else part
        if takes_back(sentence.tokens):
            claims[last:] = [claim._replace(uncertain=True) for claim in claims[last:]]
        turned = TURN_REACH if turns(sentence.tokens) else turned - 1
        missed = [] if reader.uncertain else unread_in(reader.items, found, text)
        aside = foreign(sentence.tokens) if found or missed else []
        if missed and len(reading.unread) < MAX_UNREAD:
            reading.unread += [m for start, end, m in missed if not any(a < end and start < b for a, b in aside)]
        found = _heard(found, aside)
        aloud = counted_aloud(reader.items, text, part if clips is not None else None, reader.uncertain)
        found = without_counts(found, aloud) + aloud
        if len(found) > 1:
            found = with_turns(without_alternatives(found, reader.items), reader.items)
        if found:
            found, several = of_one_kind(found, reader.items, text)
            reading.unread += several
        if turned > 0 and found:
            claims[-MAX_BACK:] = replaced(claims[-MAX_BACK:], [f.statement for f in found if not f.uncertain])
        last = len(claims) if found else last
        claims += [
            Claim(text[f.start : f.end].strip(" ,:-"), f.statement, f.uncertain or unclear)
            for f in found
            if not known or f.statement not in known  # hashing a statement costs as much as reading it
        ]
        if len(claims) >= MAX_CLAIMS:
            break
    del claims[MAX_CLAIMS:]
    return reading


def _without_choices(text: str, asked: Asked) -> str:
    """`text` with blanks for copied choices: as long as before, because positions in the text must stay."""
    text = _ANSWERS.sub(_blank, _CHOICE_LINE.sub(_blank, text))
    if "(" in text and not asked.two_clips:  # there "the first (A) ... the second (B)" are the clips
        text = _INLINE_CHOICES.sub(_blank, text)
    return text


def presupposed(question: str) -> frozenset[Statement]:
    """Statements that the question makes: of an interrogative sentence only the counts it takes for granted."""
    _, parts = sentences(question[:MAX_QUESTION_CHARS])
    known: set[Statement] = set()
    for sentence in parts:
        found = Reader(items_of(sentence.tokens), None, sources=tells_sources()).read()
        stated = [] if _is_question(sentence) or _instructs(sentence) else heard(found, sentence.tokens)
        known |= {f.statement for f in found if isinstance(f.statement, Count)}
        known |= {f.statement for f in stated if not f.uncertain}  # "determine if it is bright" presupposes nothing
    # "of the two tones" also says that there are two where they are spoken of in other words.
    return frozenset(known | {Count(s.value) for s in known if isinstance(s, Count) and s.of is Counted.EVENTS})


def _instructs(sentence: Sentence) -> bool:
    """True for "enter 'A' for bright, 'B' for dark": it names what may be answered, and says nothing of the clip."""
    return any(token.word in _INSTRUCTIONS for token in sentence.tokens[:3])


def heard(found: list[Found], tokens: list[Item]) -> list[Found]:
    """Those of `found`, read from a sentence of `tokens`, that say what is heard in the clip."""
    return _heard(found, foreign(tokens)) if found else []


def _heard(found: list[Found], aside: list[tuple[int, int]]) -> list[Found]:
    return [f for f in found if not any(start < f.end <= end for start, end in aside)] if aside else found


def _blank(match: re.Match[str]) -> str:
    return " " * len(match.group(0))


def _stated(sentence: Sentence) -> Sentence:
    """What a question says before it asks: "the first is longer, but is it louder?"."""
    if not sentence.question:
        return sentence
    tokens = sentence.tokens
    for index in range(len(tokens) - 1, 2, -1):
        asks = tokens[index].word in _INTERROGATIVES or tokens[index].word in _WONDERS
        if asks and tokens[index - 1].word in _BEFORE_ASKING:
            return Sentence(tokens[: index - 1], False)
    return sentence


def _is_question(sentence: Sentence) -> bool:
    if sentence.question:
        return True
    words = [token.word for token in sentence.tokens[:2]]
    if words[0] == "say" and words[1:] in _SUPPOSED:
        return True
    if words[:1] == ["when"] and (len(words) < 2 or words[1] not in _INTERROGATIVES):
        return False  # "when the bell rings, ..."
    return words[0] in _INTERROGATIVES and not (len(words) > 1 and words[1] in _SPEAKERS)
