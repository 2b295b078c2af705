"""Phrases which show that a trace guesses from words (*textual surrogate reasoning*) or denies hearing."""

from __future__ import annotations

import re
from collections.abc import Callable

from reward.denials import denial

MAX_TRACE_CHARS = 20_000
"""A phrase that shows guessing comes early and often; reading further only costs time."""

_CLIP = r"(?:audio|sounds?|clips?|recordings?|files?|music|speech|voices?|inputs?|samples?)"
_QUESTION = r"(?:questions?|tasks?|tests?|quiz(?:zes)?|puzzles?|riddles?|problems?)"
_GIVEN = (
    r"(?:description|transcript(?:ion)?|caption|text|context|information|information given|clues?|knowledge|metadata)"
)
_PATTERNS = (
    # The question as evidence.
    rf"\b{_QUESTION} (?:like|such as) (?:this|these|that)\b",
    rf"\b(?:these|this|such) (?:kinds?|types?|sorts?) of {_QUESTION}",
    rf"\bin such {_QUESTION}|\bwho (?:write|make|set) such {_QUESTION}|\bmost {_QUESTION}\b",
    rf"\bsuch {_QUESTION} (?:usually|often|typically|mostly|tend)\b",
    r"\bthe (?:wording|phrasing|way (?:the question|it) is (?:worded|asked|phrased|put))\b",
    r"\bhow (?:the question is|it is|it's|they) (?:worded|asked|ask|phrased|phrase|put)\b",
    r"\bthey (?:probably )?expect\b",
    r"\baccording to the (?:caption|description|title|text|metadata|prompt|wording|options|choices)\b",
    r"\b(?:such|these|those|most) (?:datasets?|benchmarks?|test sets?)\b|\b(?:options|choices) (?:themselves|alone)\b",
    r"\b(?:by|from|given|based on) the (?:wording|words|text|phrasing|question|options|choices)\b",
    r"\bthe question (?:would(?:n't| not)? (?:ask|be asked|have)|suggests|implies|hints|seems|sounds|itself)\b",
    r"\bthe question (?:usually|only)\b",
    r"\bthe question (?:names|lists|is (?:asked|worded|phrased)|does(?: not|n't) (?:say|mention|ask|name|give))\b",
    r"\bin the question (?:suggests|implies|hints)\b",
    r"\bthe (?:options|choices|answers?) (?:suggest|imply|hint|(?:is |are )?(?:usually|often|typically))\b",
    r"\belimination of the (?:options|choices|answers)\b",
    r"\bmost (?:common|likely|frequent|typical|plausible|sensible|reasonable|probable|logical|popular)"
    r" (?:answer|choice|option|guess)\b",
    r"\b(?:options|choices|answers) are (?:ordered|listed|arranged|sorted)\b"
    r"|\b(?:comes?|is|are|listed) (?:first|last) (?:in the list|among the options|of the options)\b",
    r"\b(?:test|quiz|question) ?(?:makers?|setters?|writers?|designers?|authors?)\b"
    r"|\bsuch (?:tests|quizzes) (?:like|prefer|favou?r|want|have)\b",
    r"\b(?:usual|typical|safest|default) (?:answer|choice|option|guess)\b",
    r"\b(?:answer|choice|option) (?:is|would be) (?:usually|often|typically|mostly)\b",
    # Guessing said aloud.
    r"\bI(?:'d| would| will|'ll| can only| must| have to)? (?:just )?guess\b",
    r"\b(?:my|an?|the) (?:\w{3,9} )?(?:guess|hunch)\b|\bshot in the dark\b|\barbitrar(?:y|ily)\b",
    r"\b(?:pick|picking|choose|choosing|select|selecting) (?:just )?(?:any )?one of the (?:options|choices|answers)\b",
    r"\bspeculat(?:e|es|ing|ion)\b|\bgives? (?:it|this) away\b|\bdescription in the (?:question|prompt|task)\b",
    r"\b(?:question|prompt) (?:says|calls it|speaks of)\b.{0,40}\bso\b",
    r"\bguessing\b|\bat random\b|\bcoin (?:flip|toss)\b",
    r"\bprobably because people\b",
    r"\bas a rule\b|\bmore often than not\b|\bcommon (?:sense|knowledge)\b",
    r"\btest case\b|\btrick question\b"
    r"|\b(?:assum\w{1,4}|imagine|recall|know|based on) (?:(?:a|the|some|or) ){0,2}"
    r"(?:standard|typical|common|known) examples?\b",
    # Words of the recording where only sound was given.
    r"\b(?:the|a|this|provided|given) transcripts?\b|\btranscription\b|\bfile ?name\b"
    r"|\b(?:title|name|label) of the (?:file|clip|recording|track)\b",
    r"\bit (?:mentions|says|names|states) (?:\w{1,12} ){1,4}in the (?:prompt|question|title|text|description)\b",
    rf"\b(?:text|description|caption) (?:of the {_CLIP}|provided|given|alone|says|mentions)\b",
    rf"\b(?:rel(?:y|ying)|go(?:ing)?|depend|based) (?:only |just |solely )?(?:on|by) (?:\w+ ){{0,3}}{_GIVEN}\b",
    rf"\bthe (?:user|prompt) (?:just |only )?(?:gave|gives|provided|provides|wrote|included)"
    rf" (?:(?:me|us|a|the|some|this|only) ){{0,2}}(?:{_GIVEN}|words)\b",
)
_SURROGATE = re.compile("|".join(f"(?:{pattern})" for pattern in _PATTERNS), re.IGNORECASE)
_HABIT = re.compile(r"\b(?:usually|typically|commonly|generally|normally|often|mostly|tends? to)\b", re.IGNORECASE)
_ABOUT_ANSWERS = re.compile(r"\b(?:questions?|answers?|options?|choices?|asked|asks?|means?|correct)\b", re.IGNORECASE)
_SENTENCE = re.compile(r"[^.!?\n]+")
_NEEDED = (
    "question", "task", "test", "quiz", "puzzle", "riddle", "problem", "word", "phras", "the way", "text", "option",
    "choice", "answer", "guess", "probably because", "as a rule", "often than", "common sense", "transcri",
    "description", "the user", "the prompt", "hear", "listen", "perceive", "audio", "access", "way to", "language",
    "imagine", "ears", "sound", "process", "play", "recording", "random", "coin", "example", "caption", "file",
    "auditory", "rely", "dark", "arbitrar", " ear", "maker", "setter", "writer", "designer", "author", "title",
    "one of", "mentions", "according", "expect", "hunch", "dataset", "benchmark", "waveform", "reading",
    "provided", "input", "clip", "receive", "common", "trick", "case", "usually", "typically", "generally", "normally",
    "often", "mostly", "tend", "speculat", "give", "all i have", "all we have", "all that",
)  # fmt: skip
"""Every pattern needs one of these: looking for them first makes an honest trace cost a tenth."""


def surrogate_phrase(reasoning: str) -> str:
    """The first phrase of `reasoning` that guesses from words or denies hearing; empty if there is none."""
    sentences = _sentences(reasoning)
    return _first(_guess, sentences) or _first(denial, sentences)


def denial_phrase(text: str) -> str:
    """The first phrase of `text`, a trace or an answer, that denies hearing the clip; empty if there is none."""
    return _first(denial, _sentences(text))


def _guess(sentence: str) -> str:
    lowered = sentence.lower()
    if not any(part in lowered for part in _NEEDED):
        return ""
    if found := _SURROGATE.search(sentence):
        return found.group(0).strip()
    # A habit of questions ("the second is usually right"), not of sounds ("drums usually decay fast").
    return sentence.strip() if _HABIT.search(sentence) and _ABOUT_ANSWERS.search(sentence) else ""


def _sentences(text: str) -> list[str]:
    return _SENTENCE.findall(text[:MAX_TRACE_CHARS].replace("’", "'"))


def _first(find: Callable[[str], str], sentences: list[str]) -> str:
    return next(filter(None, map(find, sentences)), "")
