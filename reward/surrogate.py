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
_CLIP = r"(?:audio|sounds?|clip|recording|file|music|speech|voices?|input)"
_DENIALS = (
    # Of the clip as such. "I cannot hear a second tone" and "no sound after 1 s" are statements about the clip.
    r"\b(?:can(?:not|'t| not)|could(?: not|n't)|unable to|not able to|incapable of|not capable of|no ability to)"
    r" (?:\w{4,10}ly )?[\"'“]?(?:hear(?:ing)?|listen(?:ing)?|perceiv(?:e|ing)|process(?:ing)?|play|access)[\"'”]?"
    rf"(?: to)?(?: (?:it|this|them|anything|directly|myself|for myself)\b(?! (?:clearly|well))"
    rf"| (?:(?:the|this|that|any|your|actual|real|raw) ){{0,2}}{_CLIP}\b"
    r"(?! (?:after|before|between|in|of|at|but|other))"
    r"|(?= ?(?:$|[,;:)])))",
    r"\bwithout (?:actually |really |ever )?(?:listening|hearing (?:it|them|this|the|any|anything)|any audio|the audio"
    r"|access to (?:the )?audio)\b",
    r"\b(?:do not have|don't have|have no|lack|without|no) (?:direct )?"
    r"(?:access to|way to (?:hear|access)|way of hearing)"
    rf" (?:(?:the|this|any|actual) ){{0,2}}(?:{_CLIP}|it)\b",
    r"\b(?:I am|I'm|as|being) (?:just |only |merely )?an? (?:text|text-only|text-based|large language|language)"
    r"(?: based| only)? (?:model|ai|assistant)\b",
    r"\b(?:I|we) (?:can |could )?(?:only |just )(?:read|see|have|process|receive|get|work with|handle) (?:the )?text\b",
    r"\b(?:no|not any) (?:actual )?(?:audio|recording|sound file)(?: clip| file)? (?:was|is|has been|seems to be)"
    r" (?:provided|given|attached|available|included|played)\b",
    r"\b(?:do not|don't) have (?:ears|hearing|the ability to hear)\b",
    rf"\bimagine (?:what )?(?:the|this) {_CLIP}\b",
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
    "imagine", "ears", "sound", "process", "play", "recording", "usually", "typically", "commonly", "generally",
    "normally", "often", "mostly", "tend",
)  # fmt: skip
"""Every pattern needs one of these: looking for them first makes an honest trace cost a tenth."""


def surrogate_phrase(reasoning: str) -> str:
    """The first phrase of `reasoning` that guesses from words or denies hearing; empty if there is none."""
    sentences = _sentences(reasoning)
    phrase = _first(_SURROGATE, sentences) or _first(_DENIAL, sentences)
    if phrase:
        return phrase
    for sentence in sentences:
        # A habit of questions ("the second is usually right"), not of sounds ("drums usually decay fast").
        if _HABIT.search(sentence) and _ABOUT_ANSWERS.search(sentence):
            return sentence.strip()
    return ""


def denial_phrase(text: str) -> str:
    """The first phrase of `text`, a trace or an answer, that denies hearing the clip; empty if there is none."""
    return _first(_DENIAL, _sentences(text))


def _sentences(text: str) -> list[str]:
    """Those sentences of `text` in which a pattern can match at all."""
    return [s for s in _SENTENCE.findall(text[:MAX_TRACE_CHARS].replace("’", "'")) if _may_match(s.lower())]


def _first(pattern: re.Pattern[str], sentences: list[str]) -> str:
    for sentence in sentences:
        found = pattern.search(sentence)
        if found:
            return found.group(0).strip()
    return ""


def _may_match(lowered: str) -> bool:
    return any(part in lowered for part in _NEEDED)
