"""Words: what is said, by a speech recogniser that the person names."""

from __future__ import annotations

import unicodedata
from difflib import SequenceMatcher

from reward.families.base import Family, Finding, Own
from reward.measure import Measurement
from reward.recognise.track import Threshold
from reward.statements import Spoken

ALIKE = Threshold(there=0.9, gone=0.6)
"""Of the letters of two wordings in order: recognisers write "colour" for "color" (0.91), and "shop" where "stop" was
said (0.75)."""
SPARE = 1
"""Words that the recogniser may have joined or split: "every one", "everyone"."""
MOST_SHOWN = 60
"""Characters of a transcript that a person is shown."""
_UNSPACED = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF))
"""Thai and Lao, Burmese, Khmer, kana, Han: no spaces part their words, so each letter is one."""


def words_of(text: str) -> list[str]:
    """The words of any language, without case, width and punctuation: only letters, marks and digits count."""
    kept = []
    for letter in unicodedata.normalize("NFKC", text).casefold():
        if any(low <= ord(letter) <= high for low, high in _UNSPACED):
            kept.append(f" {letter} ")
        elif unicodedata.category(letter)[0] in "LMN":
            kept.append(letter)
        elif letter not in "'’":
            kept.append(" ")
    return "".join(kept).split()


def likeness(said: list[str], heard: list[str]) -> float:
    """How alike the words `said` are to those words of `heard` that are most like them, 0 to 1."""
    whole, best = "".join(said), 0.0
    matcher = SequenceMatcher(None, "", whole, autojunk=False)
    for size in range(max(1, len(said) - SPARE), len(said) + SPARE + 1):
        for start in range(max(1, len(heard) - size + 1)):
            matcher.set_seq1("".join(heard[start : start + size]))
            if matcher.real_quick_ratio() > best and matcher.quick_ratio() > best:
                best = max(best, matcher.ratio())
    return best


def _check(claim: Spoken, measurement: Measurement) -> Finding:
    """Supported where a piece of the transcript has the words, contradicted where none has any like them."""
    pieces = [piece for piece in map(words_of, measurement.heard.said()) if piece]
    said = words_of(claim.text)
    if not pieces or not said:
        return Finding(None, "no words are recognised")
    heard = " ".join(word for piece in pieces for word in piece)
    shown = f"{heard[:MOST_SHOWN]}..." if len(heard) > MOST_SHOWN else heard
    nearest = max(likeness(said, piece) for piece in pieces)
    if nearest >= ALIKE.there:
        if claim.part is not None:
            return Finding(None, f"in {shown!r}; when is not known")
        return Finding(True, repr(shown))
    # "3" may be "three", in any language.
    refuted = nearest < ALIKE.gone and not any(map(str.isnumeric, heard + claim.text))
    return Finding(False if refuted else None, repr(shown))


FAMILY = Family(
    "words",
    own=Own(lambda statement: isinstance(statement, Spoken), _check, lambda claim: f'the words "{claim.text}"'),
)
