"""Which one of the choices does an answer name?

Small steps, from certain to less so: the text of a choice; its letter; a letter and what follows, if they agree; a
sentence that affirms exactly one. What is not certain names none: a wrong answer counted right teaches it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from reward.correctness.contrast import ruled_out, without_suppositions
from reward.correctness.denial import DENIALS, RETRACTIONS
from reward.correctness.unwrap import RECENT, canonical, clean, exact, folded, unwrap
from reward.numbers import other_unit, single_number

_LETTER = re.compile(r"^[(\[]?([A-Za-z])[)\]]?\s*(?:选项)?$")
_LABEL = re.compile(
    r"^[*_]{0,2}(?:(?:option|choice)\s+)?"
    r"(?:[(\[]([A-Za-z])[)\]]\s*[-=.:,>→]*|([A-Za-z])[)\]]\s*[-.:,]*|([A-Z])\s*(?:[.:,;=→]|-+>?)"
    r"|([A-Z])(?=\s+(?:because|since|as)\b)|([A-Z])[*_]{0,2}[ \t]*\n|([a-z])\s*[.:])\s*"
    r"(?:\W{0,3}(?i:explanation|reason(?:ing)?|rationale|why)\W{0,3}:\W{0,3})?(\S.*)$",
    re.DOTALL,
)
_IN_SENTENCE = re.compile(
    r"(?<![\w'.#+/-])(?P<open>[(\[])?(?P<letter>[A-Z])(?P<close>[)\]])?"
    r"(?![\w'#♯♭+*/-])(?!\s+(?:minor|major|sharp|flat)\b)(?!\.\w)"
)
_SAYS_LABEL = re.compile(r"(?:option|choice|answer|letter|is|be|or|and|,|pick|choose)\s+$", re.IGNORECASE)
_ARTICLE_BEFORE = re.compile(r"(?<![^\W_])(?:an?|the) $", re.IGNORECASE)
_NEGATION = re.compile(r"\b(?:no|not|never|neither|nor|cannot|rather|than|unlike)\b|n'?t\b", re.IGNORECASE)
_ALSO = re.compile(r"\b(?:could|can|may|might|also|too|possib\w+|plausib\w+|equally|fits?)\b", re.IGNORECASE)
"""An explanation in which another letter is possible, and none is ruled out, takes back its own."""
_LETTER_FOLLOWS = re.compile(r"(?:[\s/,&+]+|\s+(?:and|or|nor|vs\.?)\s+)[A-Z](?!\w)")
_BEFORE_LABEL = re.compile(
    r"(?:^|[^\w\s]|(?-i:\b[A-Z])|[是为选]|\b(?:es|ist|est|è|это|ответ|options?|choices?|answers?|letters?|is|it's|that's|was|are|be|been|or|and|nor|not|but|as|to|for|with"
    r"|of|on|in|than|then|so|thus|hence|therefore|only|picks?|chose|chosen?|choose|chooses|selects?|says?|said|means?"
    r"|supports?|matches|match|fits?|suggests?|indicates?|favou?rs?|leaves?|points?|think|thinks|believe|guess|go|call"
    r"|either|both|neither|\w+ing|\w+ed|\w+ly))\s*$",
    re.IGNORECASE,
)
"""What may stand before a letter that names a choice; "vitamin B" and "plan B" name none."""
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
_ORDINAL = re.compile(rf"^(?:the\s+)?({'|'.join(_ORDINALS)})\s+(?:option|choice|answer)$", re.IGNORECASE)
_ORDINAL_WORD = re.compile(rf"\b(?:{'|'.join(_ORDINALS)})\b", re.IGNORECASE)
_BESIDE = 24
"""Characters beside a mention that are looked at."""
_NO_CHOICE = -1
"""A letter beyond the last choice."""
_CHORD = re.compile(r"[A-G][#♯b♭]?[mM]")
"""Cm is minor, CM is major."""
_SIDES = frozenset({"yes", "no", "true", "false"})
_LEADING_SIDE = re.compile(r"^(yes|no|true|false)\s*[,.;:!-]\s*(.+)$", re.IGNORECASE | re.DOTALL)
_REASON = re.compile(r"^(.*?\S),?\s+(?:because|since)\s+(.+)$", re.DOTALL)
_MORE_BEFORE = re.compile(
    r"(?:[-+/\\^_#~=<>≥≤≠√×·÷*]\s*|\d[.,\s]*|\b(?:minus|negative|plus|times|point|over|under|above|below"
    r"|by|beyond|pre|semi|anti|non)[\s-]+)$",
    re.IGNORECASE,
)
_NUMBER_GOES_ON = re.compile(
    r"\s*[-+*/×x^%‰!°²³½¼¾]|[.,]\d|\s+(?:and (?:a|an|one|\d)|\d|percent|per cent|hundred|thousand|million"
    r"|billion|point|to|times|plus|minus|dozen|\w+ths?\b|half|halves)",
    re.IGNORECASE,
)
_DESCRIBES = re.compile(
    r"(?:\w+(?:ing|ed|ly|s|ish|al|ic|ive|ous|ful|er|est|\w\wy|ant|ent)|an?|the|this|that|these|those"
    r"|think|believe|chose|mean|its?|one|two|three|four|is"
    r"|are|was|were|be|been|of|by|from|in|on|at|to|with|for|and|as|say|says|said|hear|heard|hears|choose|pick|choice"
    r"|option|answer|like|small|large|big|little|old|loud|soft|low|high|long|short|deep|bright|dark|single|lone|male"
    r"|female|adult|human|real|live|main|same|right|correct|clear|distinct|distant|sharp|fast|slow|sound|sounds|than|then"
    r"|so|just|only|also|more|quite|very|somewhat|pretty|too|most|solo|wild|some|any|my"
    r"|your|our|his|her|another|other|hear|have|had|contain|feel|feature|include|play|[A-Z])",
    re.IGNORECASE,
)
"""What may stand before a choice and leave it what it is; a hot dog is none."""
_ABOUT = re.compile(
    r"(?:\w+(?:ing|ed|ly|s)|is|are|was|can|could|may|might|will|would|must|should|do|did|had|have|in|on|at|to|of|by|for"
    r"|from|with|and|or|but|as|that|which|who|whose|because|since|so|if|then|than|not|no|here|there|it|i|you|we|they|the"
    r"|an?|too|again|alone|instead|rather|choice|option|answer|sound|noise|bark|call|cry|voice|song|solo|note|tone|part"
    r"|speaker|singer|player|person|animal|instrument|emotion|mood|feeling|melody|chord|riff"
    r"|performance|track|recording|clip|event|scene"
    r"|one|section|music|first|second|last|only|clearly|came|come|went|made|heard|began|rang|sang|ran)",
    re.IGNORECASE,
)
"""What may follow a choice and leave it what it is; dog food is none."""
_LAST_WORD = re.compile(r"([A-Za-z]+) $")
_NEXT_WORD = re.compile(r" ([A-Za-z]+)")
_GOES_ON = re.compile(r"['#♯♭+/^_*²³-]|\.\w|,\d|[!]=")
_NOTE_GOES_ON = re.compile(r"\s*(?:sharp|flat|minor|major|natural|dim|aug|maj|min|sus)\b|\s+[a-z]", re.IGNORECASE)


def chosen_index(answer: str, choices: Sequence[str]) -> int | None:
    """The index of the one choice that `answer` names, or None if it names none or several.

    Choices with equal text count as one, the first of them, whatever their letters.
    """
    for text in (clean(answer), unwrap(answer)):
        found = _whole(text, choices)
        if found is not None:
            return found
    text = unwrap(answer)
    if not text:
        return None
    if letter := _LETTER.match(text):
        return _by_letter(letter[1], choices)
    if label := _LABEL.match(text):
        *letters, rest = label.groups()
        return _label_and_rest(_by_letter(next(filter(None, letters)), choices), rest, choices)
    if (side := _LEADING_SIDE.match(text)) and (named := _whole(side[1], choices)) is not None:
        taken_back = {word for word in re.findall(r"[a-z]+", side[2].lower()) if word in _SIDES}
        return None if taken_back or RETRACTIONS.search(side[2]) else named
    if contrast := ruled_out(text, choices, lambda names: _named(names, choices)):
        out, left = contrast
        named = chosen_index(left, choices)
        return None if named in out else named
    if (reason := _REASON.match(text)) and not RETRACTIONS.search(reason[2]):
        named = chosen_index(reason[1], choices)
        return named if _mentioned(reason[2], choices)[0] <= {named} else None
    if (ordinal := _ORDINAL.match(text)) and not any(map(_ORDINAL_WORD.search, choices)):
        return _by_letter("ABCDEF"[_ORDINALS.index(ordinal[1].lower())], choices)
    if (value := single_number(text)) is not None and (numbers := _numbers(tuple(choices))):
        index = numbers.index(value) if value in numbers else None
        if index is not None and other_unit(text, choices[index]):
            return None
        return index if _letters(text, choices) <= {index} else None
    return _affirmed(text, choices)


def _label_and_rest(named: int | None, rest: str, choices: Sequence[str]) -> int | None:
    """A letter and an explanation, which may repeat the choice, but not name another or take the letter back."""
    if named is None or RETRACTIONS.search(rest):
        return None
    rest = without_suppositions(rest, choices)
    if contrast := ruled_out(rest, choices, lambda names: _named(names, choices)):
        out, rest = contrast
        if named in out:
            return None
    whole = _whole(rest, choices)
    if whole is not None:
        return named if whole == named else None
    said, left = _mentioned(rest, choices)
    first = re.split(r"[.;]\s", left, maxsplit=1)[0]
    others = _letters(first, choices) if first == left else set()
    if others and _ALSO.search(left) and not _NEGATION.search(left):
        return None
    if DENIALS.search(left):
        return named if said == {named} or not said else None
    return named if said | others <= {named} else None


def _named(names: str, choices: Sequence[str]) -> set[int]:
    """The choices of a list of names, by text or letter."""
    said, left = _mentioned(names, choices)
    return said | _letters(left, choices)


@lru_cache(maxsize=RECENT)
def _numbers(choices: tuple[str, ...]) -> list[float]:
    """The values of choices that all are different numbers, else none."""
    values = [value for choice in choices if (value := single_number(choice)) is not None]
    return values if len(set(values)) == len(choices) else []


def _affirmed(text: str, choices: Sequence[str]) -> int | None:
    """The one choice that a sentence without denials names, by text or letter."""
    said, left = _mentioned(text, choices)
    if DENIALS.search(left):
        return None
    said |= _letters(left, choices)
    return said.pop() if len(said) == 1 and _NO_CHOICE not in said else None


def _whole(text: str, choices: Sequence[str]) -> int | None:
    """The choice that `text` is, in the loosest spelling that still tells the choices apart."""
    key, keys = _keyed(tuple(choices))
    given = key(text)
    return keys.index(given) if given in keys else None


@lru_cache(maxsize=RECENT)
def _keyed(choices: tuple[str, ...]) -> tuple[Callable[[str], str], list[str]]:
    key = _spelling(choices)
    return key, [key(choice) for choice in choices]


def _spelling(choices: Sequence[str]) -> Callable[[str], str]:
    if any(map(_CHORD.match, choices)):
        return exact
    different = len({clean(choice) for choice in choices})
    for key in (canonical, folded, exact):
        if len({key(choice) for choice in choices}) == different and all(map(key, choices)):
            return key
    return clean


def _by_letter(letter: str, choices: Sequence[str]) -> int | None:
    index = ord(letter.upper()) - ord("A")
    return _whole(choices[index], choices) if index < len(choices) else None


def _letters(text: str, choices: Sequence[str]) -> set[int]:
    """Choices whose letters stand in a sentence. "A" and "I" are words unless something says otherwise."""
    if any(len(choice.strip()) == 1 for choice in choices):
        return set()
    found = set()
    for match in _IN_SENTENCE.finditer(text):
        sure = match["open"] and match["close"]
        last = not text[match.end() : match.end() + _BESIDE].strip(" .)")
        before = text[max(0, match.start() - _BESIDE) : match.start()]
        if not sure and not _BEFORE_LABEL.search(before):
            continue
        if match["letter"] in "AI" and not (
            sure or _SAYS_LABEL.search(before) or last or _LETTER_FOLLOWS.match(text, match.end())
        ):
            continue
        found.add(_NO_CHOICE if (index := _by_letter(match["letter"], choices)) is None else index)
    return found


def _mentioned(text: str, choices: Sequence[str]) -> tuple[set[int], str]:
    """Choices that stand in `text` by themselves, longest first, and `text` without them."""
    key = _spelling(choices)
    case = key in (canonical, folded)
    found: set[int] = set()
    for choice in sorted(set(choices), key=len, reverse=True):
        wanted = key(choice)
        letter = len(wanted) == 1 and wanted.isalpha()
        flags = re.IGNORECASE if case and not letter else 0
        pattern = re.compile(rf"(?<!\w){re.escape(choice.strip() if letter else wanted)}(?!\w)", flags)
        if not wanted:
            continue
        for match in pattern.finditer(text):
            if _by_itself(text, match, letter=letter):
                found.add(_whole(choice, choices) or 0)
        text = _without(text, pattern, letter=letter)
    return found, text


def _without(text: str, pattern: re.Pattern[str], *, letter: bool) -> str:
    """Blanks for a choice; one in a compound stays a word: the bird of "bird dog" makes it another dog."""
    return pattern.sub(lambda match: (" " if _by_itself(text, match, letter=letter) else "x") * len(match[0]), text)


def _by_itself(text: str, match: re.Match[str], *, letter: bool) -> bool:
    """False for the 5 of "0.5", the C of "C#", the chorus of "pre-chorus"."""
    before, after, word = (
        _ARTICLE_BEFORE.sub("", text[max(0, match.start() - _BESIDE) : match.start()]),
        text[match.end() : match.end() + _BESIDE],
        match[0],
    )
    if before.endswith(tuple("-+/\\^_#~.'$")) and not before.endswith((" -", " '")):
        return False
    if word[0].isdigit() and _MORE_BEFORE.search(before):
        return False
    if word[-1].isdigit() and _NUMBER_GOES_ON.match(after):
        return False
    if letter and _NOTE_GOES_ON.match(after):
        return False
    if letter or word.count(" ") > 1:  # a clause is no part of a compound
        return not _GOES_ON.match(after)
    article = _ARTICLE_BEFORE.search(text[: match.start()])
    if (
        word[0].isalpha()
        and not article
        and (other := _LAST_WORD.search(before))
        and not _DESCRIBES.fullmatch(other[1])
    ):
        return False
    if word[-1].isalpha() and (other := _NEXT_WORD.match(after)) and not _ABOUT.fullmatch(other[1]):
        return False
    return not _GOES_ON.match(after)
