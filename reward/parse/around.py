"""Looks around a place in a sentence: what stands before it, after it, and what a number there belongs to."""

from __future__ import annotations

import math

from reward.parse.lexicon.cues import NOT_SOUNDS
from reward.parse.lexicon.units import APPROXIMATIONS, BACKGROUND, NOT_A_COUNTED_ADJECTIVE
from reward.parse.meanings import Compares, Edge, EdgeWord, Meaning, Ordinal, Spot, Topic, Word
from reward.parse.words import Item
from reward.statements import Part, Quantity, Span

THAN_REACH = 4
"""Items between a comparative and what it compares with: "louder in level than the second"."""
_ENDS = (Word.CLAUSE, Word.NEGATION, Word.THAN)
_NO_SOUNDS = frozenset({
    "answer", "decision", "check", "thought", "thoughts", "thing", "time", "step", "choice", "verdict", "response",
    "output", "impression", "glance", "listen", "conclusion", "nature",
})  # fmt: skip
"""After "first" and "final": no sound."""
_SOUNDINGS = frozenset({"quality", "timbre", "voice", "clip", "recording", "audio", "melody", "phrase"})
_HEARD = frozenset({
    "hear", "heard", "there", "there's", "has", "contains", "are", "counted", "count", "counting", "that's", "with",
    "sounds", "plays", "got", "is", "detect", "notice",
})  # fmt: skip
"""Before a number of things: they are heard."""
HEARD_REACH = 3
"""Items between such a word and the number."""
_KINDS = frozenset({"distinct", "individual", "separate", "discrete", "single", "sound", "short", "of", "the"})
_COMPARED = frozenset({"compared", "relative", "similar", "contrast", "next", "comparison", "identical", "opposed"})
_JOINS = frozenset({"and", "but", ",", "while"})
SPAN_REACH = 5
"""Items between a comparative and the time it names: "louder in level after about 1.2 s"."""
EVENT_REACH = 4
"""Items between "single" and what is: "a single, clear, musical note"."""
EACH_REACH = 5
"""Items between "each" and what each is."""
EDGE_REACH = 5
"""Items between "ends" and when."""
_TO_A_TIME = APPROXIMATIONS | {"at", "right", "after", "the", "or", "precisely", "slightly", "somewhere", "shortly"}
OWNER_REACH = 3
"""Items between "of" and its noun: "the pitch of the second tone"."""
_UNIT = {Quantity.PITCH: "st", Quantity.LEVEL: "dB", Quantity.DURATION: "s"}
"""Unit of the amount of a comparison."""


class Around:
    """The items of one sentence, asked by position."""

    def __init__(self, items: list[Item]) -> None:
        self.items = items

    def than(self, position: int) -> tuple[Part, int]:
        """The part after "than" near `position`, and the position of the last item used."""
        for index in range(position + 1, min(position + 1 + THAN_REACH, len(self.items))):
            if self.meaning(index) is Word.THAN:
                for ahead in range(index + 1, min(index + 3, len(self.items))):
                    meaning = self.meaning(ahead)
                    if isinstance(meaning, Ordinal):
                        return meaning.part, ahead
                    if isinstance(meaning, Spot):
                        return meaning.span, ahead
                return None, index
        return None, position

    def is_limit(self, position: int) -> bool:
        """True if a number follows "than" at `position`: "higher than 500 Hz" compares no two sounds."""
        return any(item.unit for item in self.items[position + 1 : position + 3])

    def ordinal_ahead(self, position: int) -> Part:
        """The first part named after `position` in its clause."""
        for item in self.items[position + 1 : position + 6]:
            if item.meaning is Word.CLAUSE or item.word == ",":
                return None
            if isinstance(item.meaning, Ordinal):
                return item.meaning.part
        return None

    def part_ahead(self, position: int) -> int | None:
        """The sound of "no noise in the first": it follows the quality at `position`."""
        if self.word(position + 1) not in ("in", "of", "on"):
            return None
        for ahead in (2, 3):
            meaning = self.meaning(position + ahead)
            if isinstance(meaning, Ordinal):
                return meaning.part
        return None

    def spot_ahead(self, position: int) -> Span | None:
        """The stretch named after `position` in its clause: "at the end", "after 1.2 s"."""
        for index in range(position + 1, min(position + 1 + SPAN_REACH, len(self.items))):
            item = self.items[index]
            if item.meaning is Word.CLAUSE or item.meaning is Word.THAN or item.word == ",":
                return None
            if isinstance(item.meaning, Spot):
                return item.meaning.span
            if item.unit == "s":
                return self.span_at(index)
        return None

    def span_at(self, position: int) -> Span | None:
        """The stretch that the seconds at `position` bound: "after 1.2 s", "from 2 s on", "from 0.5 to 1.2 s"."""
        seconds, before = self.items[position].number or 0.0, self.word_before(position)
        if self.meaning(position - 1) is Word.UNEQUAL:
            return None
        if before in ("from", "between"):
            following = self.items[position + 1 : position + 4]
            then = next((item for item in following if item.number is not None), None)
            if then is not None and then.unit == "s" and following[0].word in ("to", "-", "and", "until"):
                return Span(seconds, then.number or 0.0) if (then.number or 0.0) > seconds else None
        if before in ("after", "past") or (before == "from" and self.word(position + 1) in ("on", "onward", "onwards")):
            return Span(seconds, math.inf)
        if before in ("before", "until", "till"):
            return Span(0.0, seconds)
        return None

    def is_amount(self, position: int) -> bool:
        """True for the number of "9 dB louder" and "rises by 9 dB": a difference, not a value."""
        joined = self.word(position + 1) in _JOINS  # "near 660 Hz and louder" states a value
        if not joined and any(isinstance(self.meaning(position + ahead), Compares) for ahead in (1, 2)):
            return True
        words = {item.word for item in self.items[max(0, position - 4) : position + 3]}
        return self.word_before(position) == "by" or bool(words & {"difference", "differ", "differs"})

    def amount_before(self, position: int, quantity: Quantity) -> float | None:
        """How much, from the number right before a comparative: "9 dB louder"."""
        for item in self.items[max(0, position - 2) : position]:
            if item.number is not None and item.unit == _UNIT.get(quantity):
                return item.number
        return None

    def amount_after(self, position: int, quantity: Quantity) -> float | None:
        """How much, from "by 9 dB" right after a comparative."""
        ahead = self.items[position + 1 : position + 5]
        if ahead and ahead[0].word == "by":
            for item in ahead:
                if item.number is not None and item.unit == _UNIT.get(quantity):
                    return item.number
        return None

    def is_bound(self, position: int) -> bool:
        """True for the number of "above 500 Hz": a bound, not a value."""
        while position > 0 and self.word(position - 1) in APPROXIMATIONS:
            position -= 1
        return self.meaning(position - 1) in (Word.UNEQUAL, Word.THAN)

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

    def sounding_ahead(self, position: int) -> int | None:
        """Position of "quality" in "a low, resonant quality" after `position`."""
        for index in range(position + 1, min(position + 5, len(self.items))):
            if self.word(index) in _SOUNDINGS:
                return index
            if self.word(index) in NOT_A_COUNTED_ADJECTIVE:
                return None
        return None

    def is_adverb(self, position: int) -> bool:
        """True for the ordinal of "first, I listen", "speech first, then", "the final answer", "than the first": it is
        not what is spoken of."""
        after, before = self.word(position + 1), self.word(position - 1)
        item = self.items[position]
        alone = item.end - item.start == len(item.word)  # not "clip B"
        if after in _NO_SOUNDS or (alone and after == "," and (position == 0 or self.word(position + 2) == "then")):
            return True
        if before == "the":
            before, position = self.word(position - 2), position - 1
        if before == "to":
            return self.word(position - 2) in _COMPARED
        return before in ("as", "unlike")

    def is_of_number(self, position: int) -> bool:
        """True for "100 is slow": of a number, not of the clip."""
        item = self.items[position - 2] if position > 1 else None
        return item is not None and item.number is not None and not item.unit and self.word(position - 1) == "is"

    def is_added(self, position: int) -> bool:
        """True for the numbers of "1 s (the first note) + 0.5 s (a pause)": parts of a sum."""
        if self.word(position - 1) == "+" or self.word(position + 1) == "+":
            return True
        closed = next((i for i in range(position + 1, position + 7) if self.word(i) == ")"), None)
        return self.word(position + 1) == "(" and closed is not None and self.word(closed + 1) == "+"

    def is_sum(self, position: int) -> bool:
        """True for the last number of "in total 1 s + 0.5 s = 1.5 s"."""
        return self.word(position - 1) == "=" and any(item.word == "total" for item in self.items)

    def is_heard(self, position: int) -> bool:
        """True if what is counted at `position` is said to be heard: "I hear two", "there are two", "it has two"."""
        return any(item.word in _HEARD for item in self.items[max(0, position - HEARD_REACH) : position])

    def is_said_to_be(self, position: int) -> bool:
        """True for the number of "it is about 2 seconds": what it is of was asked before."""
        index = position - 1
        while index >= 0 and self.items[index].word in APPROXIMATIONS:
            index -= 1
        return self.word(index) in ("is", "it's", "be", "was", "that's") and index >= 0

    def is_repeated(self, position: int) -> bool:
        """True for "one note repeated", which is more than one."""
        return self.word(position + 1) in ("repeated", "repeating", "repeatedly") or self.word(position + 1) == "over"

    def of_each(self, position: int) -> bool:
        """True for "each bark is a single sound": that counts no sounds of the clip."""
        return any(item.word in ("each", "every") for item in self.items[max(0, position - EACH_REACH) : position])

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

    def topic_ahead(self, position: int) -> Quantity | None:
        """The quantity that the adjective at `position` is said of: "a consistent, moderate volume"."""
        for index in range(position + 1, min(position + 5, len(self.items))):
            if self.topic(index) is not None:
                return self.topic(index)
            of = index == position + 1 and self.word(index) in ("in", "of")  # "variation in pitch"
            if self.meaning(index) is not None or (self.word(index) in NOT_A_COUNTED_ADJECTIVE and not of):
                return None
        return None

    def edge_before(self, position: int) -> Edge | None:
        """Which end the time at `position` is, by its verb: "ends right around 2.4 s", "starts at 0:04"."""
        for item in reversed(self.items[max(0, position - EDGE_REACH) : position]):
            if isinstance(item.meaning, EdgeWord):
                return item.meaning.edge if item.word not in ("from", "until", "up", "down") else None
            if item.word not in _TO_A_TIME and item.number is None:
                return None
        return None

    def follows(self, position: int) -> bool:
        """True for "then silence" and "after a short pause": there is one, however long."""
        if any(item.number is not None for item in self.items[position + 1 : position + 4]):
            return False
        if self.word(position) not in ("pause", "silence", "silent", "brief", "short"):
            return False
        for item in reversed(self.items[max(0, position - 3) : position]):
            if item.word in ("then", "after", "there's", "followed"):
                return True
            if item.word not in ("a", "short", "brief", "slight", "small", "long", "by", "is", "there's"):
                return False
        return False

    def of_noise(self, position: int) -> bool:
        """True if the comparative at `position` speaks of what is under the sound."""
        return any(item.word in ("background", "floor") for item in self.items[max(0, position - 3) : position])

    def at_once(self, position: int) -> bool:
        """True for "starts right away", "starts right at the beginning", "starts immediately"."""
        ahead = [item.word for item in self.items[position + 1 : position + 5]]
        if ahead[:1] == ["immediately"]:
            return True
        return ahead[:1] == ["right"] and bool({"away", "at"} & set(ahead[1:2])) and self.no_number(position)

    def no_number(self, position: int) -> bool:
        """True if no number follows closely."""
        return all(item.number is None for item in self.items[position + 1 : position + 6])

    def is_owner(self, position: int) -> bool:
        """True for the noun at `position` of "the pitch of the sound": it does not end what is spoken of."""
        return any(item.word == "of" for item in self.items[max(0, position - OWNER_REACH) : position])

    def is_beside(self, position: int) -> bool:
        """True for the noun at `position` of "the pause between the tones": the pause is still spoken of."""
        words = {item.word for item in self.items[max(0, position - OWNER_REACH) : position]}
        return not words.isdisjoint({"of", "between", "before", "after"})

    def is_background(self, position: int) -> bool:
        """True if the noise named at `position` is that under the sound: "in faint noise"."""
        before = self.word(position - 1)
        if before == "of" and self.meaning(position - 2) is Word.EVENT:
            return False
        return before in BACKGROUND or self.word(position + 1) in ("floor", "background", "behind", "underneath")

    def is_partials(self, position: int) -> bool:
        """True if partials are named at `position`."""
        return self.word(position) in ("harmonic", "harmonics", "partial", "partials", "overtone", "overtones")

    def meaning(self, position: int) -> Meaning | None:
        """Meaning of the item at `position`, None outside the sentence."""
        return self.items[position].meaning if 0 <= position < len(self.items) else None

    def topic(self, position: int) -> Quantity | None:
        """The quantity named at `position`, if any."""
        meaning = self.meaning(position)
        return meaning.quantity if isinstance(meaning, Topic) else None

    def word(self, position: int) -> str:
        """First word of the item at `position`, "" outside the sentence."""
        return self.items[position].word if 0 <= position < len(self.items) else ""

    def word_before(self, position: int) -> str:
        """The word before `position`, approximations ("about") skipped."""
        position -= 1
        while position >= 0 and self.items[position].word in APPROXIMATIONS:
            position -= 1
        return self.word(position)

    def says_count(self, position: int) -> bool:
        """True if a count is announced shortly before `position`: "the number of beeps is"..."""
        return any(item.word in ("count", "number", "total") for item in self.items[max(0, position - 5) : position])
