"""When something starts and ends: clock times, seconds after "starts" and "ends", and both ends at once."""

from __future__ import annotations

from reward.parse.aloud import listed_times
from reward.parse.around import Around
from reward.parse.focus import Focus
from reward.parse.lexicon.units import APPROXIMATIONS
from reward.parse.meanings import Edge, EdgeWord, Ordinal, Sounds, Word
from reward.parse.words import Item
from reward.statements import Part, Quantity, Span, Value

Times = tuple[list[tuple[Value, int]], int | None]
"""Values with their positions, and the last position used; None: the number says neither start nor end."""

_EDGES = {Edge.START: Quantity.ONSET, Edge.END: Quantity.OFFSET}
_THERE = frozenset({"there", "there's"})
_BEGINS = frozenset({"at", "by", "then", "and", "so", ",", "the"})
_WHEN = frozenset({"at", "by", "around", "about", "near"})
EDGE_AHEAD = 6
"""Items between a time at the beginning of a sentence and the verb that says which end it is."""
LEAST_LISTED = 3
"""Times of a list of all sounds; two may be some of them."""
_FROM = ("from", "between")
_TO = ("-", "to", "until", "through", "and")
_SPAN_WORDS = frozenset(
    {
        "is",
        "are",
        "was",
        "plays",
        "spans",
        "runs",
        "occurs",
        "lasts",
        "goes",
        "sounds",
        "happens",
        "chirps",
        "rings",
        "barks",
        "extends",
        "beeps",
    }
)
"""Before "0 to 3 seconds" without a colon: the subject's two ends."""
_SHOWS = frozenset({"there", "there's", "i", "we", "you", "it's", "it"})
"""After "from 0:02 to 0:04,": what is heard then."""


def times_at(around: Around, focus: Focus, position: int, item: Item) -> Times:
    """What the time at `position` says of start and end."""
    part = focus.part if isinstance(focus.part, int) else None
    then = _second(around, position)
    if then is not None:
        return _both(around, focus, part, position, then)
    if listed := _listed(around, focus, position):
        return listed, listed[-1][1]
    ahead = _edge_ahead(around, position)
    edge = around.edge_before(position) or ahead
    if edge is None and ":" in item.word and _of_a_sound(around, position):
        number = _number_of(around, focus, position)
        value = Value(Quantity.ONSET, number, item.number or 0.0)
        listed = listed_times(around.items, position, number)
        return [(value, position), *listed], listed[-1][1] if listed else position
    clock = ":" in item.word
    if clock and edge is None and around.word_before(position) in ("until", "till"):
        edge = Edge.END
    at = "at" in (around.word_before(position), around.word(position - 1))
    if clock and edge is None and at and (focus.clause_part is not None or _shows(around, position)):
        edge = Edge.START  # "the first note is at 0:02", "at 0:02, there is a bell"
    if clock and edge is None:
        return [], position  # a time of nothing said
    if edge not in (Edge.START, Edge.END):
        return [], None
    if focus.topic in (Quantity.GAP, Quantity.PITCH) or (focus.timing and not clock and ahead is None and part is None):
        return [], None
    if part is None and ahead is not None:
        part = _named_ahead(around, position)
    quantity = Quantity.CLIP if focus.clip and edge is Edge.END and part is None else _EDGES[edge]
    value = Value(quantity, None if quantity is Quantity.CLIP else part, item.number or 0.0)
    return [(value, position)], position


def _both(around: Around, focus: Focus, part: Part, position: int, then: int) -> Times:
    """The two ends of "00:02-00:04"; of "from 0:02 to 0:04, the pitch rises" only the stretch is noted."""
    first, second = around.items[position].number or 0.0, around.items[then].number or 0.0
    if second <= first or focus.topic is Quantity.PAUSE:
        return [], then  # "silence lasts from 1 to 1.5 s": no sound does
    verb = around.word(position - 2) in _SPAN_WORDS
    if around.word(position - 1) in _FROM and around.word(then + 1) == "," and not verb and not _shows(around, then):
        focus.spot = Span(first, second)
        return [], then
    ends = [(Value(Quantity.ONSET, part, first), position), (Value(Quantity.OFFSET, part, second), then)]
    return ends, then


def _second(around: Around, position: int) -> int | None:
    """Position of the second time of a pair that names two ends; None if there is none."""
    items, item, index = around.items, around.items[position], position + 1
    if around.word(index) not in _TO:
        return None
    index += 1
    while index < len(items) and items[index].word in APPROXIMATIONS:
        index += 1
    if index >= len(items) or items[index].number is None:
        return None
    if ":" in item.word or ":" in items[index].word:
        return index if ":" in item.word and ":" in items[index].word else None
    if items[index].unit != "s":
        return None
    from_zero = item.number == 0 and items[position + 1].word == "-"
    from_zero = from_zero and (around.word_before(position) in _SPAN_WORDS or around.word(position - 1) == "(")
    spans = around.word(position - 1) == "from" and around.word(position - 2) in _SPAN_WORDS
    spans = spans and not isinstance(around.meaning(position - 2), Sounds)  # "is silent from 1 to 2 s"
    return index if from_zero or (spans and item.unit in ("", "s")) else None


def _listed(around: Around, focus: Focus, position: int) -> list[tuple[Value, int]]:
    """The onsets of "the beeps come at 0.5, 1.0 and 1.5 s", numbered: all of them are named."""
    at = around.place_before(position)
    if around.word(at) != "at" or focus.clips:
        return []
    places, index = [position], position + 1
    while index < len(around.items) and (around.word(index) in ("and", ",") or around.items[index].unit == "s"):
        if around.items[index].unit == "s":
            places.append(index)
        index += 1
    before = around.items[max(0, at - EDGE_AHEAD) : at]
    plural = any(i.meaning in (Word.EVENT, Word.PULSES) and i.word.endswith("s") for i in before)
    if len(places) < LEAST_LISTED or not plural or any(isinstance(i.meaning, Ordinal) for i in before):
        return []
    return [
        (Value(Quantity.ONSET, number, around.items[place].number or 0.0), place)
        for number, place in enumerate(places, start=1)
    ]


def _edge_ahead(around: Around, position: int) -> Edge | None:
    """Which end the time is of "at about 2.5 seconds, the sound stops" and "at 1.5 seconds there's a click"."""
    first = position == 0 and ":" in around.word(0)
    begins = all(item.word in APPROXIMATIONS or item.word in _BEGINS for item in around.items[:position])
    if not begins or not (first or any(item.word in _WHEN for item in around.items[:position])):
        return None
    for index in range(position + 1, min(position + 1 + EDGE_AHEAD, len(around.items))):
        meaning = around.meaning(index)
        if isinstance(meaning, EdgeWord) and around.items[index].word not in ("from", "until", "up", "down"):
            return None if around.word(index + 1) == "to" else meaning.edge  # "starts to rise"
        if meaning is Word.CLAUSE:
            return None
    following = {around.word(position + 1), around.word(position + 2)}
    article = position + 1 + (around.word(position + 1) == ",")
    sound = around.word(article) in ("a", "an", "another") and around.event_named(article)
    return Edge.START if sound or following & _THERE else None  # not "at 2 s it is still heard"


def _named_ahead(around: Around, position: int) -> int | None:
    """Which sound of "at 2.3 s the second sound begins"."""
    for index in range(position + 1, min(position + 1 + EDGE_AHEAD, len(around.items))):
        meaning = around.meaning(index)
        if isinstance(meaning, Ordinal):
            return meaning.part
        if isinstance(meaning, EdgeWord):
            return None
    return None


def _of_a_sound(around: Around, position: int) -> bool:
    """True for "a beep at 0:03" and "another one around 0:04"."""
    index = position - 1
    while index >= 0 and (around.items[index].word in APPROXIMATIONS or around.items[index].word in ("at", "right")):
        index -= 1
    if index == position - 1:
        return False
    if around.word(index) == "one":
        index -= 1
    return around.word(index) == "another" or around.meaning(index) in (Word.EVENT, Word.PULSES)


def _number_of(around: Around, focus: Focus, position: int) -> Part:
    """Which sound begins at the time at `position`: the one that is spoken of, or the next after "another"."""
    part = focus.part if isinstance(focus.part, int) else None
    another = any(item.word == "another" for item in around.items[max(0, position - 4) : position])
    if another and not focus.clips:
        focus.part = part = None if part is None else part + 1
    return part


def _shows(around: Around, position: int) -> bool:
    """True if after the time at `position` it is said what is there: ", there's a bell"."""
    following = [around.word(position + ahead) for ahead in (1, 2)]
    return following[0] in _SHOWS or (following[0] == "," and following[1] in _SHOWS)
