"""Reads one sentence from left to right, keeping what it speaks of: part, topic, edge, negation, doubt."""

from __future__ import annotations

from reward.parse.alone import said_alone
from reward.parse.around import Around
from reward.parse.asked import NOTHING_ASKED, Asked
from reward.parse.bounds import bound_at
from reward.parse.focus import focus_of
from reward.parse.found import Found, denied
from reward.parse.lexicon import cues
from reward.parse.lexicon.sources import SOURCE_OF
from reward.parse.meanings import (
    Attributive,
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
from reward.parse.qualities import (
    comparative_of,
    evenness_at,
    is_listed,
    pace_at,
    predicate_of,
    quality_at,
    says_of_speech,
)
from reward.parse.quantities import count_at, counted_in, value_at
from reward.parse.relations import change_at, comparison_at, interval_at
from reward.parse.times import times_at
from reward.parse.words import Item
from reward.statements import (
    BEGINNING,
    ENDING,
    Count,
    Counted,
    Not,
    Part,
    Quantity,
    Relation,
    Repeats,
    Side,
    Span,
    Statement,
    Timbre,
    Value,
)

NEGATION_REACH = 6
"""Items after a negation that it still negates: "does not seem to be any higher"."""
RECURS_REACH = 5
"""Items after "repeats" in which it is said how often or how fast."""

_TIMES = {Quantity.DURATION, Quantity.CLIP, Quantity.GAP, Quantity.PAUSE, Quantity.ONSET, Quantity.DECAY}


class Reader:
    """Reads the items of one sentence. `part` is where the sentence before left off, if it goes on about that; with
    `sources` also what is said to sound."""

    def __init__(self, items: list[Item], part: Part, asked: Asked = NOTHING_ASKED, sources: bool = False) -> None:
        self.items = items
        self._sources = sources
        self.focus = focus_of(items, part, asked)
        self._around, self._asked = Around(items), asked
        self._found: list[Found] = []
        self._negated = -NEGATION_REACH - 1
        self.uncertain = False
        self._if = False
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
                self.focus.resume(self._around.word(position + 1))
                if item.word == ",":
                    self._negated = -NEGATION_REACH - 1
            if self._sources and item.word in SOURCE_OF:
                self._source(position, item)
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
            if meaning.part == -1 and position + 1 < len(self.items) and self.items[position + 1].unit == "s":
                if self._around.is_silent_after(position + 1):
                    trail = Value(Quantity.TRAIL, None, self.items[position + 1].number or 0.0)
                    self._state(trail, position, self.items[position + 1])
                return position + 1
            if (seconds := self._around.first_seconds(position)) is not None:
                focus.spot, focus.clause_part = Span(0.0, seconds), None
                return position + 1
            self._ordinal(position, meaning.part)
        elif isinstance(meaning, Topic):
            if item.word in ("spans", "spanning"):
                focus.spanned = focus.topic
            if meaning.quantity is not Quantity.DURATION or focus.topic is not Quantity.PAUSE:
                focus.topic = meaning.quantity  # "the pause lasts" speaks of the pause
            focus.clip = focus.clip or meaning.quantity is Quantity.CLIP
            if item.word == "long" and self._around.event_ahead(position) is not None:
                self._attributive(position, Attributive("long"))
            alone = said_alone(self._around, focus, position, meaning.quantity, self._is_negated(position))
            if alone is not None:
                self._state(alone, position - 1, item)
        elif isinstance(meaning, Compares):
            return self._relates(position, comparison_at(self._around, focus, position, meaning))
        elif isinstance(meaning, Moves):
            if self._around.meaning(position + 1) is Word.THAN and self._around.is_limit(position + 1):
                return position  # "faster than 120 BPM": the number says it
            return self._relates(position, change_at(self._around, focus, position, meaning))
        elif isinstance(meaning, EdgeWord) and not self._around.is_between_sounds(position):
            focus.edge = focus.edge_verb = meaning.edge
            if meaning.edge is Edge.START and self._around.at_once(position):
                part = focus.part if isinstance(focus.part, int) else None
                self._state(Value(Quantity.ONSET, part, 0.0), position, self.items[position + 1])
        elif isinstance(meaning, Sounds):
            return self._sounds(position, item, meaning.what)
        elif isinstance(meaning, Attributive):
            self._attributive(position, meaning)
        elif isinstance(meaning, Spot):
            focus.spot = meaning.span
            if not (focus.clips and meaning.span in (BEGINNING, ENDING)):
                focus.clause_part = None  # "the second is louder at the start" is of the second clip
        elif isinstance(meaning, Place):
            self._state(Side(meaning.where, focus.where), position, item)
        elif isinstance(meaning, Evenness):
            self._relates(position, (evenness_at(self._around, focus, position, meaning), position))
        elif isinstance(meaning, Counts):
            focus.pattern = focus.pattern or meaning.of is Counted.REPEATS
            if meaning.number is not None and not (focus.pattern and meaning.of is Counted.EVENTS):
                self._state(Count(meaning.number, meaning.of, focus.where), position, item)
        elif isinstance(meaning, PaceWord):
            self._relates(position, (pace_at(self._around, focus, position, meaning.fast), position))
        elif isinstance(meaning, Recurs):
            self._recurs(position, item, meaning.alone)
        return position

    def _word(self, position: int, item: Item, word: Word) -> None:
        focus = self.focus
        if word is Word.NEGATION:
            self._negated = position
        elif word is Word.EVENT or word is Word.PULSES:
            if item.word == "sounds" and isinstance(self._around.meaning(position - 1), Topic):
                return  # "the pitch sounds high"
            focus.clip = False
            focus.pulses = word is Word.PULSES
            beside = self._around.is_beside if focus.topic is Quantity.PAUSE else self._around.is_owner
            if focus.topic and (focus.topic not in _TIMES or focus.topic is Quantity.PAUSE) and not beside(position):
                focus.topic = None
            if position and self.items[position - 1].word == "no" and item.word.endswith("s"):
                none = Count(0, part=focus.spot)
                self._found.append(Found(none, self.items[position - 1].start, item.end, self.uncertain))
        elif word is Word.UNCERTAIN:
            if item.word == "should" and self.items[0].word in cues.CONCLUDES:
                return
            self.uncertain = True
            self._if = self._if or item.word in cues.IF
            if (
                item.word in cues.MODALS and self._around.word(position - 1) not in cues.RELATIVE
            ):  # "a square wave would sound hollow" claims no square wave
                self._found = [
                    found._replace(uncertain=True) if found.start >= self._text_start else found
                    for found in self._found
                ]
        elif word is Word.TAKEN_BACK:
            self._found = [found._replace(uncertain=True) for found in self._found]
        elif word is Word.SINGLE:
            noun = self._around.event_ahead(position)
            if noun is not None and not self._around.of_each(position) and not self._around.is_repeated(noun):
                self._state(Count(1, part=counted_in(focus)), position, self.items[noun])
        elif word in (Word.MORE, Word.FEWER):
            if self._around.events_ahead(position):
                relation = Relation.MORE if word is Word.MORE else Relation.LESS
                self._relates(
                    position, comparison_at(self._around, focus, position, Compares(Quantity.NUMBER, relation))
                )
        elif word is Word.MANY:
            asked = self._around.word(position - 1) == "how"
            noun = None if asked else self._around.sounds_ahead(position)
            if noun is not None and self._around.sound_together(noun):
                self._state(Timbre("chord", focus.where), position, self.items[noun])
            elif noun is not None:
                self._state(Not(Count(1, part=counted_in(focus))), position, self.items[noun])
        elif word is Word.SPEECH:
            if says_of_speech(self._around, position, item):
                self._sounds(position, item, "speech")
        elif word is Word.CLAUSE:
            if item.word in cues.CERTAIN_AGAIN and not (self._if and item.word in ("because", "since")):
                self.uncertain = self._if = False
            focus.new_clause()
            focus.resume(self._around.word(position + 1))
            self._negated = -NEGATION_REACH - 1
            self._text_start = item.end

    def _source(self, position: int, item: Item) -> None:
        """Reads "a dog barks" and "church bell", once; "bell-like" names none."""
        what, after = SOURCE_OF[item.word], self._around.word(position + 1)
        if after == "like" or SOURCE_OF.get(after, what) != what:
            return
        said = quality_at(self._around, self.focus, position, what)
        if isinstance(said, Timbre) and not (self._found and self._found[-1].statement in (said, Not(said))):
            self._state(said, position, item)

    def _ordinal(self, position: int, part: int) -> None:
        focus, after = self.focus, self._around.meaning(position + 1)
        if self._around.is_adverb(position):
            return
        if isinstance(after, Topic) and after.quantity is Quantity.GAP:
            focus.edge = {1: Edge.START, -1: Edge.END}.get(part)
        elif isinstance(after, Topic) and after.quantity is Quantity.PAUSE:
            focus.pause = part
        elif isinstance(after, Topic) and after.quantity is Quantity.PARTIAL:
            return  # "the third harmonic" is no third event
        elif self._around.word(position + 1) not in ("half", "part", "portion"):
            focus.part = focus.clause_part = part
            focus.edge, focus.clip, focus.spot = None, False, None

    def _relates(self, position: int, said: tuple[Statement | None, int]) -> int:
        statement, last = said
        if statement is not None:
            self._state(statement, position, self.items[last])
        return last

    def _sounds(self, position: int, item: Item, what: str) -> int:
        """Reads a quality; returns the position of the last item it used."""
        compares = self._comparative(position, what)
        if compares is not None:
            return self._relates(position, comparison_at(self._around, self.focus, position, compares))
        quality = quality_at(self._around, self.focus, position, what)
        if quality is not None:
            if self._found and self._lists(self._found[-1], position):
                self._negated = position  # "no echo, reverb or hiss"
            self._state(quality, position, item)
        return position

    def _comparative(self, position: int, what: str) -> Compares | None:
        negated = self._is_negated(position)
        compares = comparative_of(self._around, position, what, negated)
        if compares is not None and negated and self._around.word(position + 1) == "as":
            self._negated = -NEGATION_REACH - 1  # "not as bright as" is duller than
        return compares

    def _lists(self, before: Found, position: int) -> bool:
        denied = before.statement.statement if isinstance(before.statement, Not) else None
        return isinstance(denied, Timbre) and is_listed(self._around, before.end, position)

    def _attributive(self, position: int, meaning: Attributive) -> None:
        """Reads "low" and "short", which are qualities only of a sound that is named after them."""
        compares = self._comparative(position, meaning.what)
        if compares is not None:
            self._relates(position, comparison_at(self._around, self.focus, position, compares))
            return
        predicate = predicate_of(self._around, self.focus, position, meaning.what)
        if predicate is not None:
            self._relates(position, (predicate, position))
            return
        noun = self._around.event_ahead(position, ("or", "and")) or self._around.sounding_ahead(position)
        if noun is None or (meaning.what in ("short", "long") and self.items[noun].word.endswith("s")):
            return  # "three short beeps" are three beeps
        if self._around.word(position + 1) not in cues.NOT_OF_SOUNDS:
            quality = quality_at(self._around, self.focus, position, meaning.what)
            self._relates(position, (quality, noun))

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
        bound, last = bound_at(self._around, self.focus, position, item, self._asked)
        if bound is not None:
            self._state(bound, position, self.items[last])
            return last
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
        if item.unit == "st":
            said = interval_at(self._around, self.focus, position, item)
            if said[0] is not None:
                return self._relates(position, said)
        value = value_at(self._around, self.focus, position, item)
        if value is not None and not self._is_negated(position):
            self._state(value, position, item)
        return position

    def _time(self, position: int, item: Item) -> int | None:
        """Reads when something starts or ends; returns the position of the last item used, None if it says neither."""
        values, last = times_at(self._around, self.focus, position, item)
        if values and self._is_negated(position):
            return None
        for value, where in values:
            self._state(value, where, self.items[where])
        return last

    def _is_negated(self, position: int) -> bool:
        return position - self._negated <= NEGATION_REACH

    def _state(self, statement: Statement, position: int, last: Item) -> None:
        if position - self._negated <= NEGATION_REACH:
            if (opposite := denied(statement)) is None:
                return
            statement = opposite
            self._negated = -NEGATION_REACH - 1
        start = max(self._text_start, self._found[-1].end if self._found else 0)
        self._found.append(Found(statement, min(start, self.items[position].start), last.end, self.uncertain))
