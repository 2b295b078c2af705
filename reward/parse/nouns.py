"""Looks for the sounds that a word of a sentence is said of."""

from __future__ import annotations

from reward.parse.lexicon.cues import NOT_SOUNDS
from reward.parse.lexicon.units import APPROXIMATIONS, NOT_A_COUNTED_ADJECTIVE
from reward.parse.meanings import Meaning, Ordinal, Recurs, Topic, Word
from reward.parse.words import Item
from reward.statements import Quantity

EVENT_REACH = 4
"""Items between "single" and what is: "a single, clear, musical note"."""
EACH_REACH = 5
"""Items between "each" and what each is."""
HEARD_REACH = 3
"""Items between such a word and the number."""
_ENDS = (Word.CLAUSE, Word.NEGATION, Word.THAN)
_HEARD = frozenset({
    "hear", "heard", "there", "there's", "has", "contains", "are", "counted", "count", "counting", "that's", "with",
    "sounds", "plays", "got", "is", "detect", "notice",
})  # fmt: skip
"""Before a number of things: they are heard."""
_KINDS = frozenset({"distinct", "individual", "separate", "discrete", "single", "sound", "short", "of", "the"})
_SOUNDINGS = frozenset({"quality", "timbre", "voice", "clip", "recording", "audio", "melody", "phrase"})


class Nouns:
    """The items of one sentence, asked by position: what stands there, and which sounds are named after it."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items

    def meaning(self, position: int) -> Meaning | None:
        """Meaning of the item at `position`, None outside the sentence."""
        return self.items[position].meaning if 0 <= position < len(self.items) else None

    def meanings(self, start: int, end: int) -> list[Meaning | None]:
        """Of the items from `start` up to `end`."""
        return [item.meaning for item in self.items[max(0, start) : end]]

    def topic(self, position: int) -> Quantity | None:
        """The quantity named at `position`, if any."""
        meaning = self.meaning(position)
        return meaning.quantity if isinstance(meaning, Topic) else None

    def quantity_in(self, position: int) -> Quantity | None:
        """The quantity of "in level" and "in the level" at `position`."""
        return self.topic(position + 1 + (self.word(position + 1) == "the"))

    def word(self, position: int) -> str:
        """First word of the item at `position`, "" outside the sentence."""
        return self.items[position].word if 0 <= position < len(self.items) else ""

    def word_before(self, position: int) -> str:
        """The word before `position`, approximations ("about") skipped."""
        return self.word(self.place_before(position))

    def place_before(self, position: int) -> int:
        """Where that word stands."""
        position -= 1
        while position >= 0 and self.items[position].word in APPROXIMATIONS:
            position -= 1
        return position

    def event_ahead(self, position: int, through: tuple[str, ...] = ()) -> int | None:
        """Position of the event named after `position`, adjectives between: "a single, sustained note"."""
        for index in range(position + 1, min(position + 2 + EVENT_REACH, len(self.items))):
            item = self.items[index]
            if item.meaning in (Word.EVENT, Word.PULSES):
                return index
            if item.word in through:
                continue  # "a low hum or rumbling sound"
            if item.number is not None or item.word in NOT_A_COUNTED_ADJECTIVE or isinstance(item.meaning, Ordinal):
                return None
        return None

    def event_named(self, article: int) -> bool:
        """True for the "a" of "a second click"."""
        return any(self.meaning(index) in (Word.EVENT, Word.PULSES) for index in range(article + 1, article + 4))

    def sounding_ahead(self, position: int) -> int | None:
        """Position of "quality" in "a low, resonant quality" after `position`."""
        for index in range(position + 1, min(position + 5, len(self.items))):
            if self.word(index) in _SOUNDINGS:
                return index
            if self.word(index) in NOT_A_COUNTED_ADJECTIVE:
                return None
        return None

    def is_heard(self, position: int) -> bool:
        """True if what is counted at `position` is said to be heard: "I hear two", "there are two", "it has two"."""
        return any(item.word in _HEARD for item in self.items[max(0, position - HEARD_REACH) : position])

    def is_heard_at(self, position: int) -> bool:
        """True for the "at" of "a knock is heard at 1.5 s"."""
        return self.word(position - 1) in ("audible", "occurs", "occur") or self.meaning(position - 1) == Recurs(False)

    def is_repeated(self, position: int) -> bool:
        """True for "one note repeated" and "one note at a time", which are more than one."""
        ahead = [item.word for item in self.items[position + 1 : position + 6]]
        if any(ahead[index : index + 3] == ["at", "a", "time"] for index in range(3)):
            return True
        return self.word(position + 1) in ("repeated", "repeating", "repeatedly") or self.word(position + 1) == "over"

    def of_each(self, position: int) -> bool:
        """True for "each bark is a single sound": that counts no sounds of the clip."""
        return any(item.word in ("each", "every") for item in self.items[max(0, position - EACH_REACH) : position])

    def sound_together(self, position: int) -> bool:
        """True for the notes at `position` of "several notes sound together"."""
        return any(self.meaning(index) is Word.TOGETHER for index in range(position + 1, position + 4))

    def sounds_ahead(self, position: int) -> int | None:
        """Position of the sounds, in the plural, named after `position`: events, or any noun that is heard."""
        for index in range(position + 1, min(position + 2 + EVENT_REACH, len(self.items))):
            item = self.items[index]
            if item.meaning in (Word.EVENT, Word.PULSES):
                return index if item.word.endswith("s") else None
            if item.meaning is None and item.word.endswith("s") and item.word.isalpha() and len(item.word) > 3:
                return index if item.word not in NOT_SOUNDS else None
            if item.number is not None or item.word in NOT_A_COUNTED_ADJECTIVE or item.meaning in _ENDS:
                return None
        return None

    def events_ahead(self, position: int) -> bool:
        """True for "more sounds" and "more separate sound events" at `position`."""
        for index in range(position + 1, min(position + 4, len(self.items))):
            if self.meaning(index) in (Word.EVENT, Word.PULSES) and self.word(index).endswith("s"):
                return True
            if self.word(index) not in _KINDS:
                return False
        return False
