"""Which of two joined clips is spoken of: by name, by letter, by what was heard in it, or because it came next."""

from __future__ import annotations

from itertools import pairwise

from reward.parse.lexicon import MEANINGS
from reward.parse.words import Item
from reward.statements import Part

_PARTS = frozenset({"part", "section", "sound", "portion", "half"})
_ORDINALS = frozenset({"first", "second"})
_LETTERS = {"a": "first", "b": "second"}
_OWNERS = {"a's": "first", "b's": "second"}
_VERBS = frozenset({"is", "has", "sounds", "seems", "was", "had", "feels", "does", "doesn't", "isn't", "appears"})
_IN = frozenset({"in", "for", "than", "of", "while", "sound", "clip", "segment", "option"})
_END = frozenset({"", ",", ")", "and", "but", "while"})
_OF_BOTH = frozenset({"both", "either", "neither", "two", "them", "other", "another"})
"""In a sentence with these the clip named last is not what is spoken of."""
_NO_CLIP = frozenset({"hand", "way", "day", "side", "end", "words", "options", "option", "sounds", "things"})
"""After "the other": it is none of the two clips."""
_NEXT = frozenset({"then", "after", "next", "afterwards", "afterward", "followed", "later"})
"""A sentence that begins so goes on from the first clip to the second."""
_AGAIN = frozenset({"listening", "i", "let", "again", "user", "question", "let's", "maybe", "wait"})
"""Unless it says that somebody listens again."""
_SUBJECT_VERBS = _VERBS | {"are", "have", "were", "sound", "seem", "feel", "had", "lasts", "starts", "ends"}
_BEGINS = frozenset({"", ",", "and", "but", "so", "while"})
_CLIP_NOUNS = frozenset({"clip", "recording", "segment", "excerpt", "sample", "audio"})
_NUMBERS = frozenset({"1", "2", "3", "4", "one", "two", "three", "four"})
_LAST = frozenset({"third", "fourth", "last", "final"})
_OF_A_CLIP = frozenset({
    "tone", "beep", "burst", "note", "sound", "pulse", "click", "knock", "hit", "bark", "chirp", "event", "syllable",
    "word", "beat", "stroke", "half", "part", "third",
})  # fmt: skip
"""After an ordinal, what may be one of several in a clip."""
MAX_NOUNS = 64
"""Nouns that are remembered."""
LEAST_NOUN = 4
"""Letters."""


class Clips:
    """What has been said of two joined clips so far: the one named last, and what was heard in which."""

    def __init__(self) -> None:
        self._heard: dict[str, int] = {}
        """A noun, without its s, and its clip; 0 for both."""
        self._named = False
        """Whether one of them was called a clip."""

    def carried(self, tokens: list[Item], part: Part) -> Part:
        """The clip that a sentence is about before it names one; `part` is where the sentence before left off."""
        words = [token.word for token in tokens]
        if not _OF_BOTH.isdisjoint(words):
            return None
        moved = part == 1 and not _NEXT.isdisjoint(words[:2]) and _ORDINALS.isdisjoint(words)
        return 2 if moved and _AGAIN.isdisjoint(words) else part

    def is_of_a_sound(self, tokens: list[Item]) -> bool:
        """Whether the number in a sentence may be that of a sound in a clip: "the second beep", where a clip was named
        before or is named too."""
        words = [token.word for token in tokens]
        for word, after in zip(words, [*words[1:], ""], strict=True):
            if (word in _CLIP_NOUNS and (after in _NUMBERS or after in _LETTERS)) or after in _CLIP_NOUNS:
                self._named = self._named or word in _ORDINALS or word in _LAST or word in _CLIP_NOUNS
        pairs = pairwise(words)
        return self._named and any(word in _ORDINALS | _LAST and after in _OF_A_CLIP for word, after in pairs)

    def name(self, tokens: list[Item], part: Part) -> None:
        """Puts the ordinal in for what stands for a clip in `tokens`: "the first part", "sound B", "A is", "the bells
        are" once bells were heard in one of them, "the other" once one was named, as `part` or in the sentence."""
        count, last = len(tokens), part
        for index, token in enumerate(tokens):
            word = token.word
            before = tokens[index - 1].word if index else ""
            after = tokens[index + 1].word if index + 1 < count else ""
            if word in _ORDINALS:
                last = 1 if word == "first" else 2
            if word == "other" and before == "the" and after not in _NO_CLIP and last in (1, 2):
                last = 2 if last == 1 else 1
                tokens[index] = token._replace(word=("first", "second")[last - 1])
            elif word in _PARTS and (before in _ORDINALS or (after in _LETTERS and word != "half")):
                tokens[index] = token._replace(word="clip")
            elif word in ("last", "final") and after in _CLIP_NOUNS | {"one"}:
                tokens[index] = token._replace(word="second")
            elif word in _OWNERS:
                tokens[index] = token._replace(word=_OWNERS[word])
            elif word in _LETTERS and before not in ("clip", "segment") and self._is_letter(word, before, after):
                tokens[index] = token._replace(word=_LETTERS[word])
            elif word == "the" and self._heard and index + 2 < count and tokens[index + 2].word in _SUBJECT_VERBS:
                self._point(tokens, index, after)
            elif after in _SUBJECT_VERBS and word.endswith("s") and before in _BEGINS and self._heard:
                self._point(tokens, index, word)

    def note(self, tokens: list[Item], part: Part) -> None:
        """Remembers the nouns of a sentence that began with `part`, or with the clips that it names."""
        if len(self._heard) >= MAX_NOUNS:
            return
        clip = part if isinstance(part, int) else 0
        for index, token in enumerate(tokens):
            word = token.word
            if word in _ORDINALS:
                clip = 1 if word == "first" else 2
            elif clip and len(word) >= LEAST_NOUN and word.isalpha() and (word,) not in MEANINGS:
                noun = _stem(word)
                if self._heard.setdefault(noun, clip) != clip and tokens[index - 1].word != "the":
                    self._heard[noun] = 0

    def _point(self, tokens: list[Item], index: int, noun: str) -> None:
        """Puts the ordinal of the clip that `noun` was heard in at `index`."""
        clip = self._heard.get(_stem(noun), 0)
        if clip:
            tokens[index] = tokens[index]._replace(word=("first", "second")[clip - 1])

    @staticmethod
    def _is_letter(word: str, before: str, after: str) -> bool:
        if after in _VERBS:
            return word == "b" or before not in ("such", "is", "has", "with")
        return (before in _IN and after in _END) or (before == "" and after == ":")


def _stem(word: str) -> str:
    """A noun without its ending: barks and barking are one thing."""
    return word.removesuffix("ing").rstrip("s")
