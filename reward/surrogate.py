"""Phrases which show that a trace guesses from words (*textual surrogate reasoning*) or denies hearing."""

from __future__ import annotations

import re

MAX_TRACE_CHARS = 20_000
"""A phrase that shows guessing comes early and often; reading further only costs time."""

_QUESTION = r"(?:questions?|tasks?|tests?|quiz(?:zes)?|puzzles?|riddles?|problems?)"
_PATTERNS = (
    # The question as evidence.
    rf"\b{_QUESTION} (?:like|such as) (?:this|these|that)\b",
    rf"\b(?:these|this|such) (?:kinds?|types?|sorts?) of {_QUESTION}",
    rf"\bin such {_QUESTION}",
    rf"\bsuch {_QUESTION} (?:usually|often|typically|mostly|tend)\b",
    r"\bthe (?:wording|phrasing|way (?:the question|it) is (?:worded|asked|phrased|put))\b",
    r"\b(?:by|from|given|based on) the (?:wording|words|text|phrasing|question|options|choices)\b",
    r"\bthe question (?:does(?: not|n't)|says|mentions|asks|suggests|implies|hints|seems|sounds|itself|usually|only)\b",
    r"\bthe question (?:names|lists|is (?:asked|worded|phrased))\b",
    r"\bthe (?:options|choices|answers?) (?:suggest|imply|hint|(?:is |are )?(?:usually|often|typically))\b",
    r"\bmost (?:common|likely|frequent|typical) (?:answer|choice|option|guess)\b",
    r"\b(?:usual|typical|safest|default) (?:answer|choice|option|guess)\b",
    r"\b(?:answer|choice|option) (?:is|would be) (?:usually|often|typically|mostly)\b",
    # Guessing said aloud.
    r"\bI(?:'d| would| will|'ll| can only| must| have to)? (?:just )?guess\b",
    r"\b(?:my|a|the) (?:best )?guess\b",
    r"\bguessing\b",
    r"\bprobably because people\b",
    r"\bas a rule\b|\bmore often than not\b|\bby common sense\b",
    # Words of the recording where only sound was given.
    r"\b(?:the|a|this|provided|given) transcripts?\b|\btranscription\b",
    r"\b(?:text|description) (?:of the (?:audio|clip|recording|sound)|provided|says|mentions)\b",
    r"\bthe (?:user|prompt) (?:just |only )?(?:gave|provided|says|said|mentions|wrote)\b",
)
_DENIALS = (
    r"\b(?:can(?:not|'t| not)|could(?: not|n't)|unable to|not able to) (?:\w{4,10}ly )?[\"'“]?(?:hear|listen|perceive)",
    r"\bwithout (?:actually |really )?(?:listening|hearing|any audio|the audio|access to (?:the )?audio)\b",
    r"\b(?:do not have|don't have|have no|no) (?:access to|way to (?:hear|access)) (?:the )?(?:audio|sound|clip|it)\b",
    r"\b(?:I am|I'm|as) (?:just |only )?an? (?:text|text-only|text-based|language) (?:model|ai|assistant)\b",
    r"\b(?:no|not any) audio (?:was |is |has been )?(?:provided|given|attached|available)\b",
    r"\bimagine (?:the|what the) (?:sound|clip|audio|recording)\b",
)
_SURROGATE = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS), re.IGNORECASE)
_DENIAL = re.compile("|".join(f"(?:{pattern})" for pattern in _DENIALS), re.IGNORECASE)
_HABIT = re.compile(r"\b(?:usually|typically|commonly|generally|normally|often|mostly|tends? to)\b", re.IGNORECASE)
_ABOUT_ANSWERS = re.compile(r"\b(?:questions?|answers?|options?|choices?|asked|asks?|means?|correct)\b", re.IGNORECASE)
_SENTENCE = re.compile(r"[^.!?\n]+")
_NEEDED = (
    "question", "task", "test", "quiz", "puzzle", "riddle", "problem", "word", "phras", "the way", "text", "option",
    "choice", "answer", "guess", "probably because", "as a rule", "often than", "common sense", "transcri",
    "description", "the user", "the prompt", "hear", "listen", "perceive", "audio", "access", "way to", "language",
    "imagine", "usually", "typically", "commonly", "generally", "normally", "often", "mostly", "tend",
)  # fmt: skip
"""Every pattern needs one of these: looking for them first makes an honest trace cost a tenth."""


def surrogate_phrase(reasoning: str) -> str:
    """The first phrase of `reasoning` that guesses from words or denies hearing; empty if there is none."""
    text = reasoning[:MAX_TRACE_CHARS].replace("’", "'")
    sentences = [s for s in _SENTENCE.findall(text) if _may_match(s.lower())]
    for pattern in (_SURROGATE, _DENIAL):
        for sentence in sentences:
            found = pattern.search(sentence)
            if found:
                return found.group(0)
    for sentence in sentences:
        # A habit of questions ("the second is usually right"), not of sounds ("drums usually decay fast").
        if _HABIT.search(sentence) and _ABOUT_ANSWERS.search(sentence):
            return sentence.strip()
    return ""


def _may_match(lowered: str) -> bool:
    return any(part in lowered for part in _NEEDED)
