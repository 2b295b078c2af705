"""Looks around a place in a sentence: what stands before it, after it, and what a number there belongs to."""

from __future__ import annotations

import math

from reward.parse.lexicon.units import APPROXIMATIONS, BACKGROUND, NOT_A_COUNTED_ADJECTIVE
from reward.parse.meanings import Compares, Edge, EdgeWord, Meaning, Ordinal, Spot, Topic, Word
from reward.parse.words import Item
from reward.statements import Part, Quantity, Span

THAN_REACH = 4
"""Items between a comparative and what it compares with: "louder in level than the second"."""
_JOINS = frozenset({"and", "but", ",", "while"})
SPAN_REACH = 5
"""Items between a comparative and the time it names: "louder in level after about 1.2 s"."""
EVENT_REACH = 4
"""Items between "single" and what is: "a single, clear, musical note"."""
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

    def event_ahead(self, position: int) -> int | None:
        """Position of the event named after `position`, adjectives between: "a single, sustained note"."""
        for index in range(position + 1, min(position + 2 + EVENT_REACH, len(self.items))):
            item = self.items[index]
            if item.meaning in (Word.EVENT, Word.PULSES):
                return index
            if item.number is not None or item.word in NOT_A_COUNTED_ADJECTIVE or isinstance(item.meaning, Ordinal):
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
