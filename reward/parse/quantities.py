"""What a number speaks of: counts of things, and values with units."""

from __future__ import annotations

from reward.parse.around import Around
from reward.parse.focus import Focus
from reward.parse.lexicon.cues import NOT_SOUNDS
from reward.parse.lexicon.units import NOT_A_COUNTED_ADJECTIVE
from reward.parse.meanings import Compares, Counts, Edge, Limit, Recurs, Spot, Topic, Word
from reward.parse.words import Item
from reward.statements import BEGINNING, ENDING, Count, Counted, Part, Quantity, Span, Value

COUNT_REACH = 4
"""Items between a count and its noun: "three short, clear, even beeps"."""
CHORD_REACH = 6
"""Items between a count of notes and the word that they sound together."""
MOST_EVENTS = 600
"""Larger counts are no counts of events: one a second in the longest clip."""

LOWEST_PITCH_HZ = 20.0
"""Below it nothing is heard as a pitch: "at a rate of 2 Hz" is a tempo."""
_TIMES = {Quantity.DURATION, Quantity.CLIP, Quantity.GAP, Quantity.PAUSE, Quantity.ONSET, Quantity.DECAY}
_CLIP_UNITS = {"bpm": Quantity.TEMPO, "LUFS": Quantity.LOUDNESS, "syl": Quantity.SYLLABLES}
"""Units that say what a number speaks of."""
_HERTZ = {Quantity.CENTROID, Quantity.BANDWIDTH, Quantity.PARTIAL}
"""Topics, beside pitch, that are measured in Hz."""
_OF_PARTS = {
    Quantity.PITCH, Quantity.PITCH_START, Quantity.PITCH_END, Quantity.PITCH_LOWEST, Quantity.PITCH_HIGHEST,
    Quantity.PITCH_RANGE, Quantity.LEVEL, Quantity.DURATION, Quantity.CENTROID, Quantity.BANDWIDTH, Quantity.PARTIAL,
    Quantity.HARMONICITY, Quantity.DECAY,
}  # fmt: skip
"""Quantities whose numbers can be of one event."""
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
_LATER = {2: Quantity.GAP_FIRST, -1: Quantity.GAP_LAST}
_SPOT_EDGES = {BEGINNING: Edge.START, ENDING: Edge.END}
_GROUP_WORDS = ("groups", "group", "sets", "bursts", "runs", "pattern", "cycle")
_SEQUENCES = ("sequence", "figure", "phrase", "motif", "riff", "series")
_NO_COUNT = ("this", "that", "which", "each", "other", "another", "every", "no", "any", "whichever")
_SEPARATE = ("separate", "distinct", "individual", "single", "discrete")
_FROM = ("from", "between")
_TWICE = ("twice", "thrice")
_MAKES = ("makes", "that's")
_HAS = ("has", "have", "had")
_TIMES_WORDS = ("times", "time")
_WITHOUT_SOUND = (Quantity.PAUSE, Quantity.GAP, Quantity.DECAY)
_LASTING = (Quantity.DURATION, Quantity.CLIP, Quantity.PAUSE, Quantity.DECAY)
_IN_ALL = ("length", "duration", "total", "all")


def value_at(around: Around, focus: Focus, position: int, item: Item, bounded: bool = False) -> Value | None:
    """The value that the number with a unit at `position` states, or None; notes stretches and edges in `focus`.

    `bounded`: of a number that is a bound, what it bounds; else such a number states no value.
    """
    if item.unit == "s" and around.word(position + 1) == "of" and around.topic(position + 2) is Quantity.PAUSE:
        silence = {Edge.START: Quantity.LEAD, Edge.END: Quantity.TRAIL}.get(focus.edge_verb or Edge.LOW, Quantity.PAUSE)
        return Value(silence, None, item.number or 0.0)  # "after 1 s of silence", "ends with 1 s of silence"
    if item.unit == "s":
        span = _span(around, focus, position, item)
        if span is not None:
            focus.spot = span
            return None
    if item.unit == "st":
        return _range(around, focus, position, item)
    if item.unit == "s" and around.is_parted(position):
        return Value(Quantity.PAUSE, None, item.number or 0.0)  # "separated by 0.5 s"
    if around.is_amount(position) or around.is_added(position) or (around.is_bound(position) and not bounded):
        return None
    if item.unit == "s" and around.is_sum(position):
        return Value(Quantity.CLIP, None, item.number or 0.0)
    if around.is_defined(position):
        return None
    edge = _edge_of(around, focus, position, item)
    quantity: Quantity | None = None
    if item.unit == "Hz" and focus.topic in _HERTZ:
        quantity = focus.topic
    elif item.unit == "Hz" and (item.number or 0.0) < LOWEST_PITCH_HZ:
        return Value(Quantity.TEMPO, None, 60 * (item.number or 0.0)) if focus.topic is Quantity.TEMPO else None
    elif item.unit == "Hz":
        quantity = _EDGED.get((Quantity.PITCH, edge), Quantity.PITCH) if edge else Quantity.PITCH
    elif item.unit == "dB":
        of_its_own = focus.topic in (Quantity.PEAK, Quantity.HARMONICITY)
        quantity = focus.topic if of_its_own else Quantity.LEVEL if edge is None else None
    elif item.unit in _CLIP_UNITS:
        quantity = _CLIP_UNITS[item.unit]
    elif item.unit == "s":
        quantity = _time(around, focus, position, edge)
    if quantity is None:
        return None
    part = focus.where if quantity in _OF_PARTS else None
    if part is None and quantity in _OF_PARTS and around.word(position + 1) == "the":
        part = around.ordinal_ahead(position) if around.word(position + 3) not in ("half", "part") else None
    if isinstance(part, Span) and quantity in (Quantity.PITCH_START, Quantity.PITCH_END):
        part = None if part in _SPOT_EDGES else part
    if quantity in (Quantity.ONSET, Quantity.OFFSET):
        part = None if isinstance(focus.part, Span) else focus.part
    elif quantity is Quantity.PAUSE:
        part = focus.pause
    return Value(quantity, part, item.number or 0.0)


def counted_in(focus: Focus) -> Part:
    """Where sounds are counted: in a stretch, or in the clip of two that is spoken of."""
    if focus.clips:
        return focus.part if isinstance(focus.part, int) else focus.spot
    return focus.spot if focus.clause_part is None else None


def count_at(
    around: Around, focus: Focus, position: int, item: Item, bounded: bool = False
) -> tuple[Count, int] | None:
    """The count that the bare number at `position` states and the position of its noun, or None."""
    number = item.number or 0.0
    if number != int(number) or not 0 <= number <= MOST_EVENTS:
        return None
    before, after = around.word_before(position), around.word(position + 1)
    if around.is_numbered(position) or (around.is_bound(position) and not bounded):
        return None
    sequence = around.word(position - 2) in _SEQUENCES and around.recurs_ahead(position)
    if before == "of" and number > 1 and (sequence or around.word(position - 2) in _GROUP_WORDS):
        return Count(int(number), Counted.GROUP), position
    if (
        (item.word == "one" and (before in _NO_COUNT or after == "another"))
        or after == "more"
        or (before == "on" and item.word != "one")
    ):
        return None  # "this one sounds different", "a snare on 2 and 4"
    if before == "or" and around.is_number(position - 2):
        return None  # "three or four"
    of, last = Counted.EVENTS, position
    counted = item.word != "one" and before in ("is", "of", "total", ":") and around.says_count(position)
    counted = counted and (before != ":" or after in ("", ")"))
    counted = counted or (before in _HAS and focus.counted and around.ends_clause(position))  # "the second has five"
    counted = counted or (after == "of" and around.word(position + 2) == "them" and around.is_heard(position))
    counted = counted or (before in _MAKES and item.word != "one" and around.ends_clause(position))  # "that makes five"
    if after == "as" if item.word in _TWICE else after in _TIMES_WORDS and around.is_factor(position + 1):
        return None
    if (after in _TIMES_WORDS and item.word != "one") or item.word in _TWICE:
        counted, last = True, position if item.word in _TWICE else position + 1
        recurs = any(isinstance(around.meaning(position - back), Recurs) for back in (1, 2))
        of = Counted.REPEATS if focus.pattern or (recurs and _repeats(around, position)) else Counted.EVENTS
        if around.topic(position - 1) is Quantity.PAUSE:
            of = Counted.PAUSES
    else:
        noun = _noun(around, position) or _listed(around, position)
        if noun is not None:
            of, last = noun
            counted = True
            if of is Counted.EVENTS and _is_chord(around, position, last):
                of = Counted.NOTES
            if of is Counted.REPEATS and (number == 1 or _repeats_follow(around, last)):
                return None
            if of is Counted.PARTIALS and around.word(last).startswith("overtone"):
                number += 1  # the fundamental is a partial, not an overtone
    if not counted:
        return None
    part = focus.where if of in (Counted.NOTES, Counted.PARTIALS) else None
    if of is Counted.EVENTS:
        if (
            around.of_each(position)
            or around.word(last + 1) in ("every", "per", "each")
            or (number == 1 and around.is_repeated(last))
        ):
            return None
        part = counted_in(focus) or (around.spot_ahead(last) if focus.clause_part is None else None)
    focus.counted = True
    return Count(int(number), of, part), last


def _repeats(around: Around, position: int) -> bool:
    return any(
        isinstance(meaning, Recurs) and meaning.alone
        for meaning in (around.meaning(position - 1), around.meaning(position - 2))
    )


def _repeats_follow(around: Around, position: int) -> bool:
    """True for the pattern of "a four-beat pattern that repeats": it is no count of patterns."""
    return around.word(position) in ("pattern", "phrase", "figure", "sequence", "cycle", "group", "riff", "motif")


def _noun(around: Around, position: int) -> tuple[Counted, int] | None:
    """What is counted by the number at `position`, and where it is named."""
    if around.word(position + 1) == ",":
        return None  # "the kick on 1 and 3, a snare"
    for index in range(position + 1, min(position + 2 + COUNT_REACH, len(around.items))):
        meaning, item = around.meaning(index), around.items[index]
        if meaning in (Word.EVENT, Word.PULSES):
            return Counted.EVENTS, index
        if isinstance(meaning, Counts):
            return meaning.of, index
        if isinstance(meaning, Topic) and meaning.quantity in (Quantity.PAUSE, Quantity.PARTIAL):
            return (Counted.PAUSES if meaning.quantity is Quantity.PAUSE else Counted.PARTIALS), index
        if item.number is not None or item.word in NOT_A_COUNTED_ADJECTIVE:
            return None
        if item.meaning is None and item.word.endswith("s") and len(item.word) > 3 and item.word.isalpha():
            heard = any(around.word(between) in _SEPARATE for between in range(position + 1, index))
            heard = heard or around.is_heard(position)
            return (Counted.EVENTS, index) if heard and item.word not in NOT_SOUNDS else None  # "four separate barks"
    return None


def _listed(around: Around, position: int) -> tuple[Counted, int] | None:
    """What is counted by the number of "pauses: two"."""
    if around.word(position - 1) != ":" or not around.ends_clause(position):
        return None
    meaning = around.meaning(position - 2)
    if meaning in (Word.EVENT, Word.PULSES):
        return Counted.EVENTS, position
    return (Counted.PAUSES, position) if around.topic(position - 2) is Quantity.PAUSE else None


def _is_chord(around: Around, position: int, last: int) -> bool:
    """True for "a chord of three notes", "a three-note chord", "two tones at once"."""
    if around.word(last + 1) in ("chord", "chords") or "chord" in (
        around.word(position - 2),
        around.word(position - 3),
    ):
        return True
    for item in around.items[last + 1 : last + 1 + CHORD_REACH]:
        if item.meaning is Word.CLAUSE:
            return False
        if item.meaning is Word.TOGETHER:
            return True
    return False


def _span(around: Around, focus: Focus, position: int, item: Item) -> Span | None:
    """The stretch that the seconds at `position` bound, alone or together with the next number."""
    if focus.topic in (Quantity.GAP, Quantity.ONSET) or (
        focus.edge is Edge.START and (around.word_before(position) != "from")
    ):
        return None
    if focus.topic is not None and around.word_before(position) in _FROM:
        return None  # "the gaps vary between 0.1 s and 0.4 s"
    if focus.spot is not None and focus.spot.end == item.number:
        return focus.spot  # the second number of such a stretch
    return around.span_at(position)


def _range(around: Around, focus: Focus, position: int, item: Item) -> Value | None:
    """A number of semitones: the range of a change, unless it is the amount of a comparison."""
    by = around.word_before(position) == "by"
    if around.is_bound(position) or (around.is_amount(position) and not by):
        return None
    if by and any(isinstance(around.meaning(position - back), Compares) for back in (2, 3)):
        return None
    spans = focus.spanned is Quantity.PITCH and focus.topic is Quantity.DURATION
    if not focus.moving and not spans and focus.topic is not Quantity.PITCH and focus.edge is not Edge.LOW:
        return None
    return Value(Quantity.PITCH_RANGE, focus.where, item.number or 0.0)


def _time(around: Around, focus: Focus, position: int, edge: Edge | None) -> Quantity | None:
    """What a number of seconds speaks of."""
    later = around.word(position + 1) in ("later", "afterwards")
    if later or (around.word(position + 1) == "after" and around.ordinal_ahead(position + 1) is not None):
        return _LATER.get(focus.part) if isinstance(focus.part, int) else None  # "the second follows 0.6 s later"
    if around.word(position - 1) in ("a", "an", "one", "single") and around.meaning(position + 1) is Word.EVENT:
        return Quantity.DURATION  # "a 0.5-second burst"
    if focus.topic is None and focus.lasting and edge is None and around.is_said_to_be(position):
        return Quantity.CLIP if focus.clip else Quantity.DURATION  # "so it is 2.3 seconds", asked how long it is
    after = around.topic(position + 1)
    if focus.topic is Quantity.ONSET and after is None:
        return Quantity.ONSET  # "onset at 0.5 s"
    bounded = isinstance(around.meaning(position - 1), Limit)  # its "at" is that of "at most"
    before = "" if bounded else around.word_before(position)
    if around.word(position - 1) == "at" or around.word(position - 2) == "at":
        longer = any(
            isinstance(m, Compares) and m.quantity is Quantity.DURATION for m in around.meanings(position - 6, position)
        )
        if longer and edge is None:
            return Quantity.DURATION  # "the longer one, at about 1.2 seconds"
    if focus.topic in _WITHOUT_SOUND:
        after = None if after is Quantity.DURATION else after  # "a pause, 1.2 s long"
    elif after is Quantity.DURATION and around.word(position + 1) == "long":
        return Quantity.CLIP if focus.clip else Quantity.DURATION  # "I put it at 2 s long"
    if before == "at" and (said := around.topic(around.place_before(position) - 1)) in _LASTING:
        return said  # "I put the duration at 2 s"
    in_all = around.word(position + 1) == "in" and around.word(position + 2) in _IN_ALL
    if (around.word(position + 1) in ("mark", "in") and not in_all) or before in ("at", "after", "before"):
        if edge is Edge.END:
            return None if before != "at" else Quantity.CLIP if focus.clip else Quantity.OFFSET
        starts = before == "at" or (before == "after" and edge is Edge.START)
        heard = focus.part is not None or edge is Edge.START
        heard = heard or (before == "at" and around.is_heard_at(around.place_before(position)))
        return Quantity.ONSET if starts and heard else None
    if focus.edge_verb and Quantity.PAUSE in [around.topic(position + ahead) for ahead in (1, 2)]:
        return Quantity.LEAD if focus.edge_verb is Edge.START else Quantity.TRAIL
    topic = after if after in _TIMES else focus.topic
    if focus.pattern and topic in (Quantity.GAP, Quantity.DURATION, None):
        return Quantity.PERIOD
    if topic in (Quantity.DURATION, Quantity.CLIP, None):
        if focus.clip:
            return Quantity.CLIP
        return Quantity.DURATION if topic is Quantity.DURATION or focus.part is not None else None
    if topic is Quantity.GAP and (between := around.pair_before(position)) is not None:
        return {1: Quantity.GAP_FIRST, -1: Quantity.GAP_LAST}.get(between)  # "the first two are 0.3 s apart"
    if topic is Quantity.GAP:
        return _EDGED.get((Quantity.GAP, edge), Quantity.GAP) if edge else Quantity.GAP
    return topic if topic in (Quantity.PAUSE, Quantity.DECAY, Quantity.ONSET) else None


def _edge_of(around: Around, focus: Focus, position: int, item: Item) -> Edge | None:
    """Which edge a number stands for, by the word before it and by what the number before it stood for."""
    joint = around.word_before(position)
    edge = focus.edge
    spot = around.meaning(position + 1)
    if isinstance(spot, Spot) and spot.span in _SPOT_EDGES:
        edge = _SPOT_EDGES[spot.span]
    elif edge is None and focus.spot in _SPOT_EDGES:
        edge = _SPOT_EDGES[focus.spot]
    elif edge is Edge.START and joint in ("to", "-", "down", "up", "through"):
        edge = Edge.END
    elif edge is Edge.LOW and joint in ("to", "-", "and"):
        edge = Edge.HIGH
    elif edge is None:
        following = around.items[position + 1 : position + 4]
        second = next((i for i in following if i.number is not None), None)
        if second is not None and second.unit == item.unit and following[0].word in ("to", "-", "down", "up"):
            edge = Edge.START if focus.moving else Edge.LOW
    focus.edge = edge if edge in (Edge.START, Edge.LOW) else None
    return edge
