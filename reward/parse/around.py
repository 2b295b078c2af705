"""Looks around a place in a sentence: what stands before it, after it, and what a number there belongs to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from reward.parse.lexicon.units import APPROXIMATIONS, BACKGROUND, NOT_A_COUNTED_ADJECTIVE
from reward.parse.meanings import Compares, Edge, EdgeWord, Limit, Moves, Ordinal, Spot, Word
from reward.parse.nouns import EACH_REACH
from reward.parse.silences import Silences
from reward.parse.words import Item
from reward.statements import Part, Quantity, Span

THAN_REACH = 4
"""Items between a comparative and what it compares with: "louder in level than the second"."""
_NO_SOUNDS = frozenset({
    "answer", "decision", "check", "thought", "thoughts", "thing", "time", "step", "choice", "verdict", "response",
    "output", "impression", "glance", "listen", "conclusion", "nature",
})  # fmt: skip
"""After "first" and "final": no sound."""
_AGAIN = frozenset({"times", "twice", "repeats", "repeat", "repeated", "repeating", "again"})
_COMPARED = frozenset({"compared", "relative", "similar", "contrast", "next", "comparison", "identical", "opposed"})
_JOINS = frozenset({"and", "but", ",", "while"})
_SEEMS = frozenset({"is", "seems", "sounds", "feels"})
_VERY = frozenset({"too", "very", "quite", "rather", "pretty", "a", "bit", "so", "really"})
SPAN_REACH = 5
"""Items between a comparative and the time it names: "louder in level after about 1.2 s"."""
EDGE_REACH = 5
"""Items between "ends" and when."""
_TO_A_TIME = APPROXIMATIONS | {"at", "right", "after", "the", "or", "precisely", "slightly", "somewhere", "shortly"}
PAIR_REACH = 8
"""Items between "the first two" and how far apart they are."""
OWNER_REACH = 3
"""Items between "of" and its noun: "the pitch of the second tone"."""
_UNIT = {Quantity.PITCH: "st", Quantity.LEVEL: "dB", Quantity.DURATION: "s"}
"""Unit of the amount of a comparison."""


class Around(Silences):
    """The items of one sentence, asked by position."""

    def than(self, position: int) -> tuple[Part, int]:
        """The part after "than" near `position`, and the position of the last item used."""
        for index in range(position + 1, min(position + 1 + THAN_REACH, len(self.items))):
            if self.meaning(index) is Word.THAN or (index == position + 1 and self.is_times_as(position)):
                for ahead in range(index + 1, min(index + 3, len(self.items))):
                    meaning = self.meaning(ahead)
                    if isinstance(meaning, Ordinal):
                        return meaning.part, ahead
                    if isinstance(meaning, Spot):
                        return meaning.span, ahead
                return None, index
        return None, position

    def is_times_as(self, position: int) -> bool:
        """True for "twice as long" before "as the second"."""
        return self.word(position) in ("twice", "half") and self.word(position + 1) == "as"

    def is_successive(self, position: int, last: int) -> bool:
        """True for "each is higher than the one before": of all sounds in their order."""
        if not any(item.word in ("each", "every") for item in self.items[max(0, position - EACH_REACH) : position]):
            return False
        words = [item.word for item in self.items[last : last + 4]]
        return not {"before", "previous", "preceding", "last"}.isdisjoint(words)

    def is_limit(self, position: int) -> bool:
        """True if a number follows "than" at `position`: "higher than 500 Hz" compares no two sounds."""
        return any(item.unit for item in self.items[position + 1 : position + 3])

    def recurs_ahead(self, position: int) -> bool:
        """True for "a sequence of three notes is heard four times" at its "three"."""
        return any(item.word in _AGAIN for item in self.items[position + 1 : position + 8])

    def is_between_sounds(self, position: int) -> bool:
        """True for the "between" of "the interval between the two hits": no range of numbers."""
        if self.word(position) != "between":
            return False
        first = next((index for index in range(position + 1, position + 4) if self.is_number(index)), None)
        return first is None or self.word(first + 1) not in ("and", "to", "-")

    def first_seconds(self, position: int) -> float | None:
        """How long is the stretch of "in the first 0.4 s" and "the first 0.4 s are silent" at `position`."""
        item = self.items[position + 1] if self.is_number(position + 1) else None
        if item is None or item.unit != "s" or self.word(position) != "first":
            return None
        framed = self.word(position - 2) in ("in", "during", "over", "for", "within")
        return item.number if framed or self.word(position + 2) in ("is", "are", "of") else None

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
        if self.meaning(position - 1) is Word.UNEQUAL or isinstance(self.meaning(position - 1), Limit):
            return None
        if before == "the" and self.word(position + 1) == "mark":
            before = self.word(self.place_before(position) - 1)  # "after the three-second mark"
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
        if isinstance(self.meaning(position + 1), Moves) and self.items[position].unit in ("dB", "st"):
            return True  # "a 6 dB rise"
        joined = self.word(position + 1) in _JOINS  # "near 660 Hz and louder" states a value
        if not joined and any(isinstance(self.meaning(position + ahead), Compares) for ahead in (1, 2)):
            return True
        words = {item.word for item in self.items[max(0, position - 4) : position + 3]}
        return self.word_before(position) == "by" or bool(words & {"difference", "differ", "differs"})

    def amount_before(self, position: int, quantity: Quantity) -> float | None:
        """How much, from the number right before a comparative: "9 dB louder"."""
        return _amount(self.items[max(0, position - 2) : position], quantity)

    def amount_after(self, position: int, quantity: Quantity) -> float | None:
        """How much, from "by 9 dB" right after a comparative."""
        ahead = self.items[position + 1 : position + 5]
        return _amount(ahead, quantity) if ahead and ahead[0].word == "by" else None

    def is_bound(self, position: int) -> bool:
        """True for the number of "above 500 Hz": a bound, not a value."""
        while position > 0 and self.word(position - 1) in APPROXIMATIONS:
            position -= 1
        meaning = self.meaning(position - 1)
        return meaning in (Word.UNEQUAL, Word.THAN) or isinstance(meaning, Limit)

    def is_factor(self, times: int) -> bool:
        """True for the "times" of "three times as long" and "three times faster"."""
        return self.word(times + 1) == "as" or isinstance(self.meaning(times + 1), Compares | Moves)

    def is_numbered(self, position: int) -> bool:
        """True for the number of "the first two": "clip A: 2 beeps" names the clip, and counts."""
        item = self.items[position - 1] if position else None
        alone = item is not None and item.end - item.start == len(item.word)
        return item is not None and isinstance(item.meaning, Ordinal) and alone

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
        """True for "100 is slow" and "but that seems slow": of a number, not of the clip."""
        index = position - 1
        while self.word(index) in _VERY:
            index -= 1
        if self.word(index) == "that's" or (self.word(index - 1) == "that" and self.word(index) in _SEEMS):
            return True
        item = self.items[index - 1] if index > 0 else None
        return item is not None and item.number is not None and not item.unit and self.word(index) == "is"

    def is_defined(self, position: int) -> bool:
        """True for the numbers of "A4 is 440 Hz" and "60 BPM is one beat per second": they are so everywhere."""
        if self.word(position + 1) == "is" and any(self.is_number(position + ahead) for ahead in (2, 3)):
            return True
        if self.word_before(position) not in ("is", "equals") or position < 2:
            return False
        before = [item.word for item in self.items[max(0, position - 4) : position]]
        if "which" in before:
            return False  # "it is near A4, which is 440 Hz"
        named = any(len(word) <= 3 and word[0] in "abcdefg" and word[-1].isdigit() for word in before if word != "f0")
        return (
            named
            or "middle" in before
            or any(item.unit == "bpm" for item in self.items[max(0, position - 3) : position])
        )

    def is_added(self, position: int) -> bool:
        """True for the numbers of "1 s (the first note) + 0.5 s (a pause)": parts of a sum."""
        if self.word(position - 1) == "+" or self.word(position + 1) == "+":
            return True
        closed = next((i for i in range(position + 1, position + 7) if self.word(i) == ")"), None)
        return self.word(position + 1) == "(" and closed is not None and self.word(closed + 1) == "+"

    def is_sum(self, position: int) -> bool:
        """True for the last number of "in total 1 s + 0.5 s = 1.5 s"."""
        return self.word(position - 1) == "=" and any(item.word == "total" for item in self.items)

    def is_said_to_be(self, position: int) -> bool:
        """True for the number of "it is about 2 seconds": what it is of was asked before."""
        index = position - 1
        while index >= 0 and self.items[index].word in APPROXIMATIONS:
            index -= 1
        return self.word(index) in ("is", "it's", "be", "was", "that's") and index >= 0

    def is_number(self, position: int) -> bool:
        """True if a plain number stands at `position`."""
        return 0 <= position < len(self.items) and self.items[position].number is not None

    def is_parted(self, position: int) -> bool:
        """True for the number of "separated by 0.5 s" and "separated by a gap of 0.5 s"."""
        place = self.place_before(position)
        if self.word(place) == "of" and self.topic(place - 1) in (Quantity.GAP, Quantity.PAUSE):
            place -= 2
            while self.meaning(place) is None and self.word(place) not in ("by", ""):
                place -= 1
        return self.word(place) == "by" and self.word(place - 1) in ("separated", "parted", "divided")

    def pair_before(self, position: int) -> int | None:
        """Which end "the first two" and "the last two" before `position` are at; 0 for others of several."""
        for index in range(max(0, position - PAIR_REACH), position):
            meaning, after = self.meaning(index), self.items[index + 1]
            if isinstance(meaning, Ordinal) and after.number is not None and not after.unit:
                return meaning.part if after.number == 2 else 0
        return None

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

    def of_noise(self, position: int) -> bool:
        """True if the comparative at `position` speaks of what is under the sound."""
        before = [item.word for item in self.items[max(0, position - 7) : position]]
        noise = any(
            word in ("noise", "hiss") and then in ("level", "levels", "floor") for word, then in pairwise(before)
        )
        return noise or bool({"background", "floor"} & set(before[-3:]))

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
        return before in BACKGROUND or self.word(position + 1) in (
            "floor",
            "background",
            "behind",
            "underneath",
            "level",
            "levels",
        )

    def is_partials(self, position: int) -> bool:
        """True if partials are named at `position`."""
        return self.word(position) in ("harmonic", "harmonics", "partial", "partials", "overtone", "overtones")

    def ends_clause(self, position: int) -> bool:
        """True if nothing follows the item at `position` in its clause."""
        return self.word(position + 1) in ("", ",", "and", ")") or self.meaning(position + 1) is Word.CLAUSE

    def says_count(self, position: int) -> bool:
        """True if a count is announced shortly before `position`: "the number of beeps is"..."""
        return any(item.word in ("count", "number", "total") for item in self.items[max(0, position - 5) : position])


def _amount(items: Sequence[Item], quantity: Quantity) -> float | None:
    """The first number in the unit of a quantity."""
    return next((item.number for item in items if item.number is not None and item.unit == _UNIT.get(quantity)), None)
