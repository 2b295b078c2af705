"""Reads one sentence from left to right, keeping what it speaks of: part, topic, edge, negation, doubt."""

from __future__ import annotations

from dataclasses import replace

from reward.parse.around import Around
from reward.parse.focus import focus_of
from reward.parse.found import Found
from reward.parse.lexicon import cues
from reward.parse.lexicon.units import APPROXIMATIONS
from reward.parse.meanings import (
    Compares,
    Counts,
    Edge,
    EdgeWord,
    Evenness,
    Meaning,
    Moves,
    Ordinal,
    PaceWord,
    Place,
    Recurs,
    Sounds,
    Spot,
    Topic,
    Word,
)
from reward.parse.quantities import count_at, value_at
from reward.parse.words import Item
from reward.statements import (
    BEGINNING,
    ENDING,
    Change,
    Comparison,
    Count,
    Counted,
    Not,
    Pace,
    Part,
    Quantity,
    Regular,
    Relation,
    Repeats,
    Side,
    Span,
    Statement,
    Timbre,
    Value,
)

NEGATION_REACH = 5
"""Items after a negation that it still negates: "does not seem to be any higher"."""
RECURS_REACH = 5
"""Items after "repeats" in which it is said how often or how fast."""

_TIMES = {Quantity.DURATION, Quantity.CLIP, Quantity.GAP, Quantity.PAUSE, Quantity.ONSET, Quantity.DECAY}
_EDGES = {Edge.START: Quantity.ONSET, Edge.END: Quantity.OFFSET}


class Reader:
    """Reads the items of one sentence. `part` is where the sentence before left off, if it goes on about that."""

    def __init__(self, items: list[Item], part: Part) -> None:
        self.items = items
        self.focus = focus_of(items, part)
        self._around = Around(items)
        self._found: list[Found] = []
        self._negated = -NEGATION_REACH - 1
        self._uncertain = False
        self._text_start = items[0].start if items else 0

    def read(self) -> list[Found]:
        """The statements of the sentence."""
        position = 0
        items, count = self.items, len(self.items)
        while position < count:
            item = items[position]
            if item.number is not None:
                position = self._number(position, item)
            elif item.meaning is not None:
                position = self._phrase(position, item, item.meaning)
            elif item.word in cues.BREAKS:
                self._text_start = item.start if item.word == "and" else item.end
                if item.word == ",":
                    self._negated = -NEGATION_REACH - 1
            position += 1
        if self._found and count and (items[-1].meaning is Word.UNCERTAIN or items[-1].word in cues.UNSURE):
            self._found[-1] = self._found[-1]._replace(uncertain=True)  # "the pitch rises, perhaps"
        return self._found

    def _phrase(self, position: int, item: Item, meaning: Meaning) -> int:
        """Reads a phrase; returns the position of the last item it used."""
        focus = self.focus
        if isinstance(meaning, Word):
            self._word(position, item, meaning)
        elif isinstance(meaning, Ordinal):
            self._ordinal(position, meaning.part)
        elif isinstance(meaning, Topic):
            if meaning.quantity is not Quantity.DURATION or focus.topic is not Quantity.PAUSE:
                focus.topic = meaning.quantity  # "the pause lasts" speaks of the pause
            focus.clip = focus.clip or meaning.quantity is Quantity.CLIP
            if meaning.quantity is Quantity.PAUSE and self._around.follows(position):
                self._state(Not(Count(0, Counted.PAUSES)), position, item)
        elif isinstance(meaning, Compares):
            return self._compares(position, item, meaning)
        elif isinstance(meaning, Moves):
            self._moves(position, item, meaning)
        elif isinstance(meaning, EdgeWord):
            focus.edge = focus.edge_verb = meaning.edge
            if meaning.edge is Edge.START and self._around.at_once(position):
                part = focus.part if isinstance(focus.part, int) else None
                self._state(Value(Quantity.ONSET, part, 0.0), position, self.items[position + 1])
        elif isinstance(meaning, Sounds):
            self._sounds(position, item, meaning.what)
        elif isinstance(meaning, Spot):
            focus.spot, focus.clause_part = meaning.span, None
        elif isinstance(meaning, Place):
            self._state(Side(meaning.where, focus.where), position, item)
        elif isinstance(meaning, Evenness):
            if not self._around.is_partials(position + 1) and (focus.timing or not meaning.timing_only):
                self._state(Regular(meaning.even), position, item)
        elif isinstance(meaning, Counts):
            focus.pattern = focus.pattern or meaning.of is Counted.REPEATS
            if meaning.number is not None:
                self._state(Count(meaning.number, meaning.of, focus.where), position, item)
        elif isinstance(meaning, PaceWord):
            self._pace(position, item, meaning.fast)
        elif isinstance(meaning, Recurs):
            self._recurs(position, item, meaning.alone)
        return position

    def _word(self, position: int, item: Item, word: Word) -> None:
        focus = self.focus
        if word is Word.NEGATION:
            self._negated = position
        elif word is Word.EVENT or word is Word.PULSES:
            focus.clip = False
            focus.pulses = word is Word.PULSES
            beside = self._around.is_beside if focus.topic is Quantity.PAUSE else self._around.is_owner
            if focus.topic and (focus.topic not in _TIMES or focus.topic is Quantity.PAUSE) and not beside(position):
                focus.topic = None
            if position and self.items[position - 1].word == "no" and item.word.endswith("s"):
                none = Count(0, part=focus.spot)
                self._found.append(Found(none, self.items[position - 1].start, item.end, self._uncertain))
        elif word is Word.UNCERTAIN:
            self._uncertain = True
            if item.word in cues.MODALS:  # "a square wave would sound hollow" claims no square wave
                self._found = [
                    found._replace(uncertain=True) if found.start >= self._text_start else found
                    for found in self._found
                ]
        elif word is Word.SINGLE:
            noun = self._around.event_ahead(position)
            if noun is not None:
                self._state(Count(1, part=focus.spot), position, self.items[noun])
        elif word is Word.CLAUSE:
            if item.word in cues.CERTAIN_AGAIN:
                self._uncertain = False
            focus.new_clause()
            self._negated = -NEGATION_REACH - 1
            self._text_start = item.end

    def _ordinal(self, position: int, part: int) -> None:
        focus, after = self.focus, self._around.meaning(position + 1)
        if isinstance(after, Topic) and after.quantity is Quantity.GAP:
            focus.edge = {1: Edge.START, -1: Edge.END}.get(part)
        elif isinstance(after, Topic) and after.quantity is Quantity.PAUSE:
            focus.pause = part
        elif isinstance(after, Topic) and after.quantity is Quantity.PARTIAL:
            return  # "the third harmonic" is no third event
        elif self._around.word(position + 1) not in ("half", "part", "portion"):
            focus.part = focus.clause_part = part
            focus.edge, focus.clip, focus.spot = None, False, None

    def _moves(self, position: int, item: Item, moves: Moves) -> None:
        quantity, relation, focus = moves.quantity, moves.relation, self.focus
        if quantity is Quantity.TEMPO and item.word in cues.FASTER and isinstance(focus.clause_part, int):
            self._compares(position, item, Compares(Quantity.TEMPO, relation))
            return
        if any(after.unit == "dB" for after in self.items[position + 1 : position + 5]):
            quantity = Quantity.LEVEL
        elif quantity is Quantity.PITCH and focus.topic in (Quantity.LEVEL, Quantity.TEMPO, Quantity.GAP):
            quantity = focus.topic
        elif quantity is None:
            quantity = Quantity.TEMPO if focus.topic is None and focus.pulses else focus.topic
            if quantity is None and relation is Relation.SAME:
                quantity = Quantity.PITCH
        if quantity is Quantity.GAP:
            if not focus.timing:
                return
            quantity, relation = Quantity.TEMPO, relation.reverse
        if quantity is Quantity.TEMPO:
            if focus.clause_part is None:
                self._state(Change(Quantity.TEMPO, None, relation), position, item)
        elif quantity in (Quantity.PITCH, Quantity.LEVEL, Quantity.CENTROID):
            self._state(Change(quantity, self._stretch(focus.where), relation), position, item)

    def _stretch(self, where: Part) -> Part:
        """Where something changes: "towards the end" names its goal, "in the second half" and "after 1 s" a stretch."""
        return self.focus.part if isinstance(where, Span) and where in (BEGINNING, ENDING) else where

    def _compares(self, position: int, item: Item, compares: Compares) -> int:
        quantity, relation, focus = compares.quantity, compares.relation, self.focus
        if focus.topic is Quantity.PARTIAL:
            return position  # partials are compared, not sounds
        if quantity is Quantity.PITCH and Quantity.LEVEL in (focus.topic, self._around.topic(position + 1)):
            quantity = Quantity.LEVEL
        if quantity is Quantity.DURATION and focus.topic is Quantity.GAP and not compares.superlative:
            if focus.clause_part is None:
                self._state(Change(Quantity.TEMPO, None, relation.reverse), position, item)
            return position
        if position and self._around.meaning(position - 1) is Word.BECOMES and quantity is not Quantity.DURATION:
            self._state(Change(quantity, self._stretch(focus.where), relation), position, item)
            return position
        other, last = self._around.than(position)
        if quantity is Quantity.DURATION and focus.pause is not None:
            if compares.superlative or isinstance(other, int):
                self._state(Comparison(Quantity.PAUSE, focus.pause, other, relation), position, self.items[last])
            return last
        if last > position and self._around.is_limit(last):
            return last
        if quantity is Quantity.LEVEL and self._around.of_noise(position):
            quantity, relation = Quantity.HARMONICITY, relation.reverse  # "its background is quieter"
        spot = focus.spot or self._around.spot_ahead(position)
        subject = focus.clause_part or self._around.ordinal_ahead(last) or spot or focus.part
        if relation is Relation.SAME and subject is None:
            subject = 1
        named = focus.clause_part or focus.spot or self._around.ordinal_ahead(last)
        if subject is None or (compares.superlative and not named and self.items[0].word not in cues.GOES_ON):
            return position  # "the peak is the highest amplitude" defines a peak
        if isinstance(subject, Span):
            other = other if isinstance(other, Span) else subject.rest
        elif other is None and not compares.superlative:
            other = {1: 2, 2: 1}.get(subject)
        if other != subject:
            amount = self._around.amount_before(position, quantity) or self._around.amount_after(last, quantity)
            self._state(Comparison(quantity, subject, other, relation, amount), position, self.items[last])
        if last > position and not isinstance(subject, Span):
            focus.part = focus.clause_part = other or subject
        return last

    def _sounds(self, position: int, item: Item, what: str) -> None:
        around, focus = self._around, self.focus
        if what == "noise" and around.is_background(position):
            return
        if what in cues.OF_SOUNDS and around.word(position + 1) in cues.UNDER:
            return
        where: Part = focus.where
        if focus.clause_part is None and focus.spot is None:
            where = around.spot_ahead(position) or where
        if what == "silent" and not isinstance(where, Span):
            if not focus.clip:
                return  # "then there is silence" says when, but not until when
            where = None
        self._state(Timbre(what, where), position, item)

    def _pace(self, position: int, item: Item, fast: bool) -> None:
        after = self._around.meaning(position + 1)
        if self._around.word(position + 1) in cues.NOT_A_PACE or isinstance(after, Moves):
            return
        if position and isinstance(self._around.meaning(position - 1), Moves):
            return
        if self.focus.speech or self.focus.timing:
            self._state(Pace(fast, self.focus.speech), position, item)

    def _recurs(self, position: int, item: Item, alone: bool) -> None:
        ahead = self.items[position + 1 : position + 1 + RECURS_REACH]
        for after in ahead:
            if after.number is not None:
                if after.unit == "s":
                    self.focus.pattern = self.focus.pattern or alone
                return  # the number says it
            if after.meaning is Word.CLAUSE:
                break
        if alone:
            self._state(Repeats(), position, item)

    def _number(self, position: int, item: Item) -> int:
        """Reads a number; returns the position of the last item it used."""
        if item.unit == "":
            counted = count_at(self._around, self.focus, position, item)
            if counted is not None:
                count, last = counted
                self._state(count, position, self.items[last])
                noun = self.items[last].meaning
                if count.of is Counted.REPEATS and noun is not None and not isinstance(noun, Counts):
                    return last
            return position
        if item.unit == "s":
            used = self._time(position, item)
            if used is not None:
                return used
        value = value_at(self._around, self.focus, position, item)
        if value is not None and not self._is_negated(position):
            self._state(value, position, item)
        return position

    def _time(self, position: int, item: Item) -> int | None:
        """Reads when something starts or ends; returns the position of the last item used, None if it says neither."""
        focus, items = self.focus, self.items
        part = focus.part if isinstance(focus.part, int) else None
        then = position + 2
        if ":" in item.word and then < len(items) and items[position + 1].word in ("-", "to", "until"):
            while then < len(items) and items[then].word in APPROXIMATIONS:
                then += 1
            if then < len(items) and ":" in items[then].word and items[then].number is not None:
                first, second = item.number or 0.0, items[then].number or 0.0
                following = items[then + 1].word if then + 1 < len(items) else ""
                if second <= first:
                    return then
                if self._around.word(position - 1) in ("from", "between") and following == ",":
                    focus.spot = Span(first, second)  # "from 0:02 to 0:04, the pitch rises"
                    return then
                self._state(Value(Quantity.ONSET, part, first), position, item)
                self._state(Value(Quantity.OFFSET, part, second), position, items[then])
                return then
        edge = self._around.edge_before(position)
        at = "at" in (self._around.word_before(position), self._around.word(position - 1))
        if ":" in item.word and edge is None and focus.clause_part is not None and at:
            edge = Edge.START  # "the first note is at 0:02"
        if ":" in item.word and edge is None:
            return position  # a time of nothing said
        if edge not in (Edge.START, Edge.END) or self._is_negated(position):
            return None
        if focus.topic in (Quantity.GAP, Quantity.PITCH) or (focus.timing and ":" not in item.word):
            return None
        if focus.clip and edge is Edge.END and part is None:
            self._state(Value(Quantity.CLIP, None, item.number or 0.0), position, item)
        else:
            self._state(Value(_EDGES[edge], part, item.number or 0.0), position, item)
        return position

    def _is_negated(self, position: int) -> bool:
        return position - self._negated <= NEGATION_REACH

    def _state(self, statement: Statement, position: int, last: Item) -> None:
        if position - self._negated <= NEGATION_REACH:
            if isinstance(statement, Value | Not):
                return
            if isinstance(statement, Comparison):
                statement = replace(statement, amount=None)
            statement = Not(statement)
            self._negated = -NEGATION_REACH - 1
        start = max(self._text_start, self._found[-1].end if self._found else 0)
        self._found.append(Found(statement, min(start, self.items[position].start), last.end, self._uncertain))
