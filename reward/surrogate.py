"""Phrases which show that a trace guesses from words (*textual surrogate reasoning*) or denies hearing."""

from __future__ import annotations

import re

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
_CANNOT = (
    r"\b(?:can(?:not|'t| not)|could(?: not|n't)|unable to|not (?:being |been )?able to|incapable of"
    r"|not (?:equipped|built|designed|made|set up|trained) to|not capable of|never"
    r"|(?:no|lack the|lacks? any|without the|not have the|n't have the) (?:ability|capability|capacity) (?:to|of)"
    r"|(?:not possible|impossible|no way|no means) (?:for me )?(?:to|of))"
)
_HEAR = (
    r"[\"'“]?(?:hear(?:d|ing)?|listen(?:ed|ing)?|perceiv(?:e|ed|ing)|process(?:ing)?|play(?:ing)?|access(?:ing)?|open(?:ing)?"
    r"|analy[sz](?:e|ing)|received?)[\"'”]?"
)
_WHICH = r"(?:(?:the|this|that|these|any|your|actual|real|raw|two|both) ){0,3}"
_FILE = r"(?:audio|recordings?|clips?|sound files?|audio files?|of the (?:clips|recordings))"
_SOUND = r"(?:audio|recordings?|clips?|waveforms?|sound files?|sounds?|playback|signal)"
_FEW = r"(?:\w{1,12} ){0,3}"
_NOT = r"(?:\b(?:not|never|no|zero|without)|n't)"
_PLACES = "after|before|between|in|of which|at|but|other|from|where|with|past|until"
"""After "no recording": then it is said where there is none."""
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
    r"(?:provided|given|attached|available|included|uploaded|shared|sent|loaded|played|came|in this|here|for me)\b",
    r"\b(?:audio|recordings?|clips?|sound file|sounds?)(?: clip| file)?(?: itself)?"
    r" (?:(?:was|were|is|are|has|have) ?(?:not|n't|never)) (?:actually |really )?(?:been )?"
    r"(?:provided|given|attached|available|included|there|here|shared|sent|accessible|uploaded|something I)\b"
    r"(?! (?:in|at|for|only|any|an?|the)\b)",
    r"\b(?:not|never) (?:the|this) (?:actual )?(?:clips?|audio|recordings?)(?= ?(?:$|[,;:)]))",
    r"\ball (?:that )?(?:I|we) have (?:here )?(?:is|are) (?:the |some )?(?:text|words|question|transcript)\b",
    r"\bno (?:audio|recording|sound file)(?= ?(?:$|[,;:)]))",
    # The sense, the clip, or the means of hearing it, is not there.
    rf"\b(?:have|has|got|there is|there's|with) no (?:actual |real )?{_FILE}\b"
    r"(?= ?(?:$|[,;:)])| (?:here|to|that I|for me|which I|so|and|at hand|available|provided|attached)\b)",
    rf"{_NOT} {_FEW}(?:given|provided|supplied|sent|shown|access|presented)"
    rf" {_FEW}{_SOUND}\b(?! (?:{_PLACES})\b)",
    rf"\b{_SOUND}(?: files?| itself| data)? (?:is|was|are|were|did|does|do|has|have|could|can)(?: not|n't|not| never)"
    rf" {_FEW}(?:available|load|loaded|reach|reached|accessible|arrive|arrived|exist|come|came) {_FEW}"
    r"(?:to me|for me|on my|here|with me|to us|me)\b",
    rf"\b(?:hearing|listening|playback) {_FEW}(?:is|are|was) "
    r"(?:not (?:an option|possible|something)|impossible|out of reach|unavailable|off the table)\b",
    rf"{_NOT} {_FEW}(?:faculty|sense|power|organs?|means|way|ability|capacity) (?:of |to |for )(?:hear|listen)\w*\b",
    r"\b(?:process|read|handle|see|get|receive|know|understand|work with|deal with) text (?:only|alone|exclusively)\b",
    r"\b(?:AI|model|assistant|system|program|software)(?: that| which)? (?:only )?"
    r"(?:works? with|working with|reads?|reading|processes|handles|trained on) (?:only |just )?text\b",
    r"\breading,? (?:and )?not (?:listening|hearing)\b",
    rf"\b(?:never|did not|didn't) (?:\w{{2,8}} )?(?:get|got|had (?:a|the) chance|have (?:a|the) chance) to "
    rf"(?:hear|listen to) (?:it|them|{_WHICH}{_SOUND})\b",
    rf"\bno {_SOUND} (?:for me|that I|I can|I could|to (?:analy[sz]e|listen to|process|work with|go (?:on|by)))\b",
    rf"\bwithout (?:the |an |any )?(?:actual |real )(?:{_FILE}|sounds?)\b",
    rf"\b(?:have|has|had)(?: not|n't| never) (?:actually |really )?(?:been able to )?(?:heard|hear|listened to"
    rf"|listen to|received) (?:it|them|either|any|both|{_WHICH}{_FILE})\b(?! (?:{_PLACES})\b)",
    rf"\bnot having (?:heard|listened to) (?:it|them|{_WHICH}{_FILE})\b",
    r"\b(?:cannot|can't|can not|could not|couldn't) be (?:played|heard|accessed|opened|processed) by me\b",
    r"\b(?:listening|hearing|audio|sounds?) (?:is|are|lies) (?:far )?(?:outside|beyond|not (?:within|among|part of)) "
    r"(?:of )?(?:my|what I)\b",
    r"\bmy (?:ears|hearing|sense of hearing) (?:do|does)(?: not|n't) exist\b",
    r"\b(?:I am|I'm|as|being|am) (?:just |only |purely )?(?:limited|restricted|confined) to (?:written )?text\b",
    r"\b(?:I am|I'm|as|being|a) (?:just |only |merely |purely )?(?:a )?text-(?:only|based)\b",
    r"\bnothing (?:here )?(?:that )?(?:I can|for me to|to) (?:actually )?(?:listen to|hear)\b"
    r"(?! (?:after|before|in|at))",
    r"\b(?:do not|don't|without) (?:have )?(?:any|a) (?:way|means) (?:of|to) "
    r"(?:hear|hearing|listen|listening|process|processing|access|accessing|play|playing)\b",
    r"\b(?:cannot|can't|can not|could not|couldn't) (?:\w{2,8} ){1,2}by ear\b",
    r"\b(?:do not|don't) (?:have|possess) (?:ears|hearing|the ability to hear|(?:any )?auditory)\b"
    r"|\bno auditory (?:perception|input|sense)\b"
    r"|\b(?:do not|don't) (?:experience|perceive) sounds?\b",
    rf"\bimagine (?:what )?(?:the|this) {_CLIP}\b",
)
_DENYING = (
    "no", "n't", "never", "without", "unable", "incap", "lack", "zero", "text", "model", "imagine", "outside", "beyond",
    "out of reach", "unavailable", "off the table", "all i have", "all we have", "all that", "assistant", " ai",
)  # fmt: skip
"""Every denial has one of these."""
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
    "auditory", "rely", "dark", "arbitrar", " ear", "maker", "setter", "writer", "designer", "author", "title",
    "one of", "mentions", "according", "expect", "hunch", "dataset", "benchmark", "waveform", "reading",
    "provided", "input", "clip", "receive", "common", "trick", "case", "usually", "typically", "generally", "normally",
    "often", "mostly", "tend", "speculat", "give", "all i have", "all we have", "all that",
)  # fmt: skip
"""Every pattern needs one of these: looking for them first makes an honest trace cost a tenth."""


def surrogate_phrase(reasoning: str) -> str:
    """The first phrase of `reasoning` that guesses from words or denies hearing; empty if there is none."""
    sentences = _sentences(reasoning)
    phrase = _first(_SURROGATE, sentences) or _first(_DENIAL, _denying(sentences))
    if phrase:
        return phrase
    for sentence in sentences:
        # A habit of questions ("the second is usually right"), not of sounds ("drums usually decay fast").
        if _HABIT.search(sentence) and _ABOUT_ANSWERS.search(sentence):
            return sentence.strip()
    return ""


def denial_phrase(text: str) -> str:
    """The first phrase of `text`, a trace or an answer, that denies hearing the clip; empty if there is none."""
    return _first(_DENIAL, _denying(_sentences(text)))


def _sentences(text: str) -> list[str]:
    """Those sentences of `text` in which a pattern can match at all."""
    return [s for s in _SENTENCE.findall(text[:MAX_TRACE_CHARS].replace("’", "'")) if _may_match(s.lower())]


def _denying(sentences: list[str]) -> list[str]:
    """Those of `sentences` in which a denial can stand."""
    return [s for s in sentences if any(part in s.lower() for part in _DENYING)]


def _first(pattern: re.Pattern[str], sentences: list[str]) -> str:
    for sentence in sentences:
        found = pattern.search(sentence)
        if found:
            return found.group(0).strip()
    return ""


def _may_match(lowered: str) -> bool:
    return any(part in lowered for part in _NEEDED)
