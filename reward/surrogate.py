"""Phrases which show that a trace guesses from words (*textual surrogate reasoning*) or denies hearing."""

from __future__ import annotations

import re

MAX_TRACE_CHARS = 20_000
"""A phrase that shows guessing comes early and often; reading further only costs time."""

_CLIP = r"(?:audio|sounds?|clips?|recordings?|files?|music|speech|voices?|inputs?|samples?)"
_QUESTION = r"(?:questions?|tasks?|tests?|quiz(?:zes)?|puzzles?|riddles?|problems?)"
_GIVEN = r"(?:description|transcript(?:ion)?|caption|text|context|information|clues?|knowledge|metadata)"
_PATTERNS = (
    # The question as evidence.
    rf"\b{_QUESTION} (?:like|such as) (?:this|these|that)\b",
    rf"\b(?:these|this|such) (?:kinds?|types?|sorts?) of {_QUESTION}",
    rf"\bin such {_QUESTION}|\bwho (?:write|make|set) such {_QUESTION}|\bmost {_QUESTION}\b",
    rf"\bsuch {_QUESTION} (?:usually|often|typically|mostly|tend)\b",
    r"\bthe (?:wording|phrasing|way (?:the question|it) is (?:worded|asked|phrased|put))\b",
    r"\bhow (?:the question|it) is (?:worded|asked|phrased|put)\b",
    r"\b(?:by|from|given|based on) the (?:wording|words|text|phrasing|question|options|choices)\b",
    r"\bthe question (?:suggests|implies|hints|seems|sounds|itself|usually|only)\b",
    r"\bthe question (?:names|lists|is (?:asked|worded|phrased)|does(?: not|n't) (?:say|mention|ask|name|give))\b",
    r"\bin the question (?:suggests|implies|hints)\b",
    r"\bthe (?:options|choices|answers?) (?:suggest|imply|hint|(?:is |are )?(?:usually|often|typically))\b",
    r"\belimination of the (?:options|choices|answers)\b",
    r"\bmost (?:common|likely|frequent|typical) (?:answer|choice|option|guess)\b",
    r"\b(?:usual|typical|safest|default) (?:answer|choice|option|guess)\b",
    r"\b(?:answer|choice|option) (?:is|would be) (?:usually|often|typically|mostly)\b",
    # Guessing said aloud.
    r"\bI(?:'d| would| will|'ll| can only| must| have to)? (?:just )?guess\b",
    r"\b(?:my|a|the) (?:best )?guess\b",
    r"\bguessing\b|\bat random\b|\bcoin (?:flip|toss)\b",
    r"\bprobably because people\b",
    r"\bas a rule\b|\bmore often than not\b|\bcommon (?:sense|knowledge)\b",
    r"\btest case\b|\btrick question\b"
    r"|\b(?:assum\w{1,4}|imagine|recall|know|based on) (?:(?:a|the|some|or) ){0,2}"
    r"(?:standard|typical|common|known) examples?\b",
    # Words of the recording where only sound was given.
    r"\b(?:the|a|this|provided|given) transcripts?\b|\btranscription\b|\bfile ?name\b",
    rf"\b(?:text|description|caption) (?:of the {_CLIP}|provided|given|alone|says|mentions)\b",
    rf"\b(?:rel(?:y|ying)|go(?:ing)?|depend|based) (?:only |just |solely )?(?:on|by) (?:\w+ ){{0,3}}{_GIVEN}\b",
    rf"\bthe (?:user|prompt) (?:just |only )?(?:gave|gives|provided|provides|wrote|included)"
    rf" (?:(?:me|us|a|the|some|this|only) ){{0,2}}(?:{_GIVEN}|words)\b",
)
_CANNOT = (
    r"\b(?:can(?:not|'t| not)|could(?: not|n't)|unable to|not able to|incapable of|not capable of|never"
    r"|(?:no|lack the|lacks? any|without the|not have the|n't have the) (?:ability|capability|capacity) (?:to|of)"
    r"|(?:not possible|impossible|no way|no means) (?:for me )?(?:to|of))"
)
_HEAR = (
    r"[\"'“]?(?:hear(?:d|ing)?|listen(?:ed|ing)?|perceiv(?:e|ed|ing)|process(?:ing)?|play(?:ing)?|access(?:ing)?"
    r"|analy[sz](?:e|ing)|received?)[\"'”]?"
)
_WHICH = r"(?:(?:the|this|that|these|any|your|actual|real|raw|two|both) ){0,3}"
_DENIALS = (
    # Of the clip as such. "I cannot hear a second tone" and "no sound after 1 s" are statements about the clip.
    rf"{_CANNOT} (?:\w{{4,10}}ly )?(?:\w{{4,10}} or )?{_HEAR}"
    rf"(?: to)?(?: (?:it|this|them|anything|directly|myself|for myself|what (?:was|is|has been))\b(?! (?:clearly|well))"
    rf"| {_WHICH}(?:{_CLIP} )?{_CLIP}\b"
    r"(?! (?:after|before|between|in|of|at|but|other))"
    r"|(?= ?(?:$|[,;:)])))",
    r"\bwithout (?:actually |really |ever )?(?:listening|hearing (?:it|them|this|the|any|anything)|any audio|the audio"
    r"|access to (?:the )?audio|ears)\b",
    r"\b(?:do not have|don't have|have no|lack|without|no) (?:direct )?"
    r"(?:access to|way to (?:hear|access)|way of hearing)"
    rf" (?:(?:the|this|any|actual) ){{0,2}}(?:{_CLIP}|it)\b",
    rf"\b(?:have not|haven't|was not|wasn't) (?:been )?(?:given|sent|shown) {_WHICH}{_CLIP}\b",
    rf"\b(?:I|we) (?:do not|don't|never) (?:actually |really )?(?:have|got|received?) {_WHICH}{_CLIP}\b",
    r"\b(?:I am|I'm|as|being) (?:just |only |merely )?an? (?:AI )?(?:text|text-only|text-based|large language|language)"
    r"(?: based| only)? (?:model|ai|assistant)\b",
    r"\btext-based (?:system|interface|scenario|setting|environment|conversation|format|chat|query)\b"
    r"|\binput is (?:only )?text\b",
    r"\b(?:I|we) (?:can |could )?(?:only |just )(?:read|see|have|process|receive|get|work with|handle) (?:the )?text\b",
    r"\b(?:no|not any) (?:actual )?(?:audio|recording|sound file|audio file)(?: clip| file)?"
    r" (?:(?:was|is|has been|seems to be) )?"
    r"(?:provided|given|attached|available|included|played|came|in this|here|for me)\b",
    r"\b(?:audio|recording|clip|sound file|sound)(?: clip| file)?(?: itself)?"
    r" (?:(?:was|is|has) ?(?:not|n't|never)) (?:actually |really )?(?:been )?"
    r"(?:provided|given|attached|available|included|there|here)\b",
    r"\b(?:do not|don't) (?:have|possess) (?:ears|hearing|the ability to hear|(?:any )?auditory)\b"
    r"|\bno auditory (?:perception|input|sense)\b"
    r"|\b(?:do not|don't) (?:experience|perceive) sounds?\b",
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
    "imagine", "ears", "sound", "process", "play", "recording", "random", "coin", "example", "caption", "file",
    "auditory", "rely", "provided", "input", "clip", "receive", "common", "trick", "case", "usually", "typically",
    "generally", "normally", "often", "mostly", "tend",
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
