"""Reads one sentence from left to right, keeping what it speaks of: part, topic, edge, negation, doubt."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reward.claims.around import Around
from reward.claims.facts import (
    Change,
    Comparison,
    Count,
    Not,
    Part,
    Quantity,
    Regular,
    Relation,
    Side,
    Statement,
    Timbre,
    Value,
)
from reward.claims.items import Item
from reward.claims.lexicon import NOT_A_COUNTED_ADJECTIVE
from reward.claims.meanings import (
    Compares,
    Edge,
    EdgeWord,
    Evenness,
    Meaning,
    Moves,
    Ordinal,
    Place,
    Sounds,
    Topic,
    Word,
)

NEGATION_REACH = 5
"""Items after a negation that it still negates: "does not seem to be any higher"."""
COUNT_REACH = 4
"""Items between a count and its noun: "three short, clear, even beeps"."""
MOST_EVENTS = 60
"""Larger counts are no counts of events in a clip of 30 s."""

_TIMES = {Quantity.DURATION, Quantity.CLIP, Quantity.GAP, Quantity.PAUSE, Quantity.ONSET}
_CLIP_UNITS = {"bpm": Quantity.TEMPO, "LUFS": Quantity.LOUDNESS, "syl": Quantity.SYLLABLES}
"""Units that say what a number speaks of."""
_OF_PARTS = ("pitch", "loudness", "duration", "brightness")
"""Families whose numbers can be of one event."""
_BREAKS = frozenset({",", "and", "(", ")", ":"})
"""The words of a claim begin after these."""
_EDGED = {
    (Quantity.PITCH, Edge.START): Quantity.PITCH_START,
    (Quantity.PITCH, Edge.END): Quantity.PITCH_END,
    (Quantity.PITCH, Edge.LOW): Quantity.PITCH_LOWEST,
    (Quantity.PITCH, Edge.HIGH): Quantity.PITCH_HIGHEST,
    (Quantity.GAP, Edge.START): Quantity.GAP_FIRST,
    (Quantity.GAP, Edge.END): Quantity.GAP_LAST,
    (Quantity.GAP, Edge.LOW): Quantity.GAP_SHORTEST,
    (Quantity.GAP, Edge.HIGH): Quantity.GAP_LONGEST,
}


@dataclass(frozen=True)
class Found:
    """A statement and the characters it was read from."""

    statement: Statement
    start: int
    end: int
    uncertain: bool


class Reader:
    """Reads the items of one sentence. `part` is where the sentence before left off, if it goes on about that."""

    def __init__(self, items: list[Item], part: Part) -> None:
        self.items = items
        self.part: Part = part
        self._around = Around(items)
        self._found: list[Found] = []
        self._topic: Quantity | None = None
        self._clip = False  # the subject is the clip, not an event
        self._pulses = False
        self._edge: Edge | None = None
        self._negated = -NEGATION_REACH - 1
        self._uncertain = False
        self._clause_part: Part = None
        self._text_start = items[0].start if items else 0
        self._timing = self._moving = False
        for item in items:
            meaning = item.meaning
            if type(meaning) is Topic:
                self._timing = self._timing or meaning.quantity in (Quantity.GAP, Quantity.TEMPO)
            elif meaning is Word.PULSES:
                self._timing = True
            elif type(meaning) is Moves:
                self._moving = True

    def read(self) -> list[Found]:
        """The statements of the sentence."""
        position = 0
        while position < len(self.items):
            item = self.items[position]
            if item.number is not None:
                self._number(position, item)
            elif item.word in _BREAKS:
                self._text_start = item.start if item.word == "and" else item.end
                if item.word == ",":
                    self._negated = -NEGATION_REACH - 1
            elif item.meaning is not None:
                position = self._phrase(position, item, item.meaning)
            position += 1
        return self._found

    def _phrase(self, position: int, item: Item, meaning: Meaning) -> int:
        """Reads a phrase; returns the position of the last item it used."""
        match meaning:
            case Word():
                self._word(position, item, meaning)
            case Ordinal(part):
                self._ordinal(position, part)
            case Topic(quantity):
                self._topic = quantity
                self._clip = self._clip or quantity is Quantity.CLIP
            case EdgeWord(edge):
                self._edge = edge
            case Moves():
                self._moves(position, item, meaning)
            case Compares():
                return self._compares(position, item, meaning)
            case Sounds(what):
                if what != "noise" or not self._around.is_background(position):
                    self._state(Timbre(what, self.part), position, item)
            case Place(where):
                self._state(Side(where), position, item)
            case Evenness(even, timing_only):
                if not self._around.is_partials(position + 1) and (self._timing or not timing_only):
                    self._state(Regular(even), position, item)
        return position

    def _word(self, position: int, item: Item, word: Word) -> None:
        if word is Word.NEGATION:
            self._negated = position
        elif word in (Word.EVENT, Word.PULSES):
            self._clip = False
            self._pulses = word is Word.PULSES
            if self._topic and self._topic not in _TIMES and not self._around.is_owner(position):
                self._topic = None
            if position and self.items[position - 1].word == "no" and item.word.endswith("s"):
                self._found.append(Found(Count(0), self.items[position - 1].start, item.end, self._uncertain))
        elif word is Word.UNCERTAIN:
            self._uncertain = True
        elif word is Word.SINGLE:
            if self._around.meaning(position + 1) in (Word.EVENT, Word.PULSES):
                self._state(Count(1), position, self.items[position + 1])
        elif word is Word.CLAUSE:
            self._topic, self._edge, self._clause_part = None, None, None
            self._negated = -NEGATION_REACH - 1
            self._text_start = item.end

    def _ordinal(self, position: int, part: int) -> None:
        after = self._around.meaning(position + 1)
        if isinstance(after, Topic) and after.quantity in (Quantity.GAP, Quantity.PAUSE):
            self._edge = {1: Edge.START, -1: Edge.END}.get(part)
        elif self._around.word(position + 1) not in ("half", "part", "portion"):
            self.part = self._clause_part = part
            self._edge, self._clip = None, False

    def _moves(self, position: int, item: Item, moves: Moves) -> None:
        quantity, relation = moves.quantity, moves.relation
        if any(after.unit == "dB" for after in self.items[position + 1 : position + 5]):
            quantity = Quantity.LEVEL
        elif quantity is Quantity.PITCH and self._topic in (Quantity.LEVEL, Quantity.TEMPO, Quantity.GAP):
            quantity = self._topic
        elif quantity is None:
            quantity = Quantity.TEMPO if self._topic is None and self._pulses else self._topic
            if quantity is None and relation is Relation.SAME:
                quantity = Quantity.PITCH
        if quantity is Quantity.GAP:
            if not self._timing:
                return
            quantity, relation = Quantity.TEMPO, relation.reverse
        if quantity is Quantity.TEMPO:
            if self._clause_part is None:
                self._state(Change(Quantity.TEMPO, None, relation), position, item)
        elif quantity in (Quantity.PITCH, Quantity.LEVEL):
            self._state(Change(quantity, self.part, relation), position, item)

    def _compares(self, position: int, item: Item, compares: Compares) -> int:
        quantity, relation = compares.quantity, compares.relation
        if quantity is Quantity.PITCH and Quantity.LEVEL in (self._topic, self._around.topic(position + 1)):
            quantity = Quantity.LEVEL
        if quantity is Quantity.DURATION and self._topic is Quantity.GAP and not compares.superlative:
            if self._clause_part is None:
                self._state(Change(Quantity.TEMPO, None, relation.reverse), position, item)
            return position
        if position and self._around.meaning(position - 1) is Word.BECOMES and quantity is not Quantity.DURATION:
            self._state(Change(quantity, self.part, relation), position, item)
            return position
        other, last = self._around.than(position)
        if last > position and self._around.is_limit(last):
            return last
        subject = self._clause_part or self._around.ordinal_ahead(last) or self.part
        if relation is Relation.SAME and subject is None:
            subject = 1
        if subject is None:
            return position
        if other is None and not compares.superlative:
            other = {1: 2, 2: 1}.get(subject)
        if other != subject:
            amount = self._around.amount_before(position, quantity) or self._around.amount_after(last, quantity)
            self._state(Comparison(quantity, subject, other, relation, amount), position, self.items[last])
        if last > position:
            self.part = self._clause_part = other or subject
        return last

    def _number(self, position: int, item: Item) -> None:
        if item.unit == "":
            self._count(position, item)
            return
        if self._around.is_amount(position) or self._around.is_bound(position):
            return
        edge = self._edge_of(position, item)
        quantity: Quantity | None = None
        if item.unit == "Hz" and self._topic is Quantity.CENTROID:
            quantity = Quantity.CENTROID
        elif item.unit == "Hz":
            quantity = _EDGED.get((Quantity.PITCH, edge), Quantity.PITCH) if edge else Quantity.PITCH
        elif item.unit == "dB":
            quantity = Quantity.LEVEL if edge is None else None
        elif item.unit in _CLIP_UNITS:
            quantity = _CLIP_UNITS[item.unit]
        elif item.unit == "s":
            quantity = self._time(position, edge)
        if quantity is not None and not self._is_negated(position):
            part = self.part if quantity.kind in _OF_PARTS else None
            if quantity is Quantity.ONSET:
                part = self.part
            if quantity in (Quantity.CLIP, Quantity.LOUDNESS):
                part = None
            self._state(Value(quantity, part, item.number or 0.0), position, item)

    def _time(self, position: int, edge: Edge | None) -> Quantity | None:
        """What a number of seconds speaks of."""
        after = self._around.topic(position + 1)
        before = self._around.word_before(position)
        if self._around.word(position + 1) in ("mark", "in") or before in ("at", "after", "before"):
            return Quantity.ONSET if before == "at" and self.part is not None else None
        topic = after if after in _TIMES else self._topic
        if topic in (Quantity.DURATION, Quantity.CLIP, None):
            if self._clip:
                return Quantity.CLIP
            return Quantity.DURATION if topic is Quantity.DURATION or self.part is not None else None
        if topic is Quantity.GAP:
            return _EDGED.get((Quantity.GAP, edge), Quantity.GAP) if edge else Quantity.GAP
        return topic if topic is Quantity.PAUSE else None

    def _count(self, position: int, item: Item) -> None:
        number = item.number or 0.0
        if number != int(number) or not 0 <= number <= MOST_EVENTS or self._is_negated(position):
            return
        before, after = self._around.word_before(position), self._around.word(position + 1)
        if position and isinstance(self._around.meaning(position - 1), Ordinal):
            return
        counted = item.word != "one" and (
            (before in ("is", "of", "total") and self._around.says_count(position)) or after in ("times", "time")
        )
        last = position
        for index in range(position + 1, min(position + 2 + COUNT_REACH, len(self.items))):
            meaning, word = self._around.meaning(index), self.items[index].word
            if meaning in (Word.EVENT, Word.PULSES):
                counted, last = True, index
                break
            if self.items[index].number is not None or word in NOT_A_COUNTED_ADJECTIVE:
                break
        if counted:
            self._state(Count(int(number)), position, self.items[max(last, position)])

    def _edge_of(self, position: int, item: Item) -> Edge | None:
        """Which edge a number stands for, by the word before it and by what the number before it stood for."""
        joint = self._around.word_before(position)
        edge = self._edge
        if edge is Edge.START and joint in ("to", "-", "down", "up", "through"):
            edge = Edge.END
        elif edge is Edge.LOW and joint in ("to", "-", "and"):
            edge = Edge.HIGH
        elif edge is None:
            following = self.items[position + 1 : position + 4]
            second = next((i for i in following if i.number is not None), None)
            if second is not None and second.unit == item.unit and following[0].word in ("to", "-", "down", "up"):
                edge = Edge.START if self._moving else Edge.LOW
        self._edge = edge if edge in (Edge.START, Edge.LOW) else None
        return edge

    def _is_negated(self, position: int) -> bool:
        return position - self._negated <= NEGATION_REACH

    def _state(self, statement: Statement, position: int, last: Item) -> None:
        if self._is_negated(position):
            if isinstance(statement, Value | Not):
                return
            if isinstance(statement, Comparison):
                statement = replace(statement, amount=None)
            statement = Not(statement)
            self._negated = -NEGATION_REACH - 1
        start = max(self._text_start, self._found[-1].end if self._found else 0)
        self._found.append(Found(statement, min(start, self.items[position].start), last.end, self._uncertain))
