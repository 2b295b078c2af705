"""What a word for how something sounds says: a quality of a part, or, after "more", a comparison."""

from __future__ import annotations

from itertools import pairwise

from reward.parse.around import Around
from reward.parse.focus import Focus
from reward.parse.lexicon import cues
from reward.parse.meanings import Compares, Edge, EdgeWord, Evenness, Moves, Word
from reward.parse.words import Item
from reward.statements import (
    BEGINNING,
    ENDING,
    Change,
    Count,
    Counted,
    Not,
    Pace,
    Part,
    Quantity,
    Regular,
    Relation,
    Span,
    Statement,
    Timbre,
)

OPPOSITE = {"reverberant": "dry", "noisy": "clean", "noise": "clean"}
"""What there is when there is next to nothing of it: "the echo is minimal"."""
SCALES = {
    "bright": (Quantity.CENTROID, Relation.MORE), "dull": (Quantity.CENTROID, Relation.LESS),
    "reverberant": (Quantity.DECAY, Relation.MORE), "dry": (Quantity.DECAY, Relation.LESS),
    "noisy": (Quantity.HARMONICITY, Relation.LESS), "clean": (Quantity.HARMONICITY, Relation.MORE),
    "loud": (Quantity.LEVEL, Relation.MORE), "soft": (Quantity.LEVEL, Relation.LESS),
    "high": (Quantity.PITCH, Relation.MORE), "low": (Quantity.PITCH, Relation.LESS),
    "long": (Quantity.DURATION, Relation.MORE), "short": (Quantity.DURATION, Relation.LESS),
}  # fmt: skip
"""What "more" of a quality is more of."""
_TOPICS: dict[tuple[Quantity | None, str], str] = {
    (Quantity.LEVEL, "low"): "soft", (Quantity.LEVEL, "high"): "loud",
    (Quantity.PITCH, "low"): "low", (Quantity.PITCH, "high"): "high",
}  # fmt: skip
"""What is low or high, as a quality of the sound."""
_SAYS = ("speaks", "talks", "speaking", "talking")
_FROM = ("from", "between")
_WHERE = frozenset({"at", "in", "after", "before", "from", "between", "anywhere", "here", "or", "is", "can"})
"""After "no speech"."""
ATTACK_REACH = 4
"""Items between "attack" and how it is."""
FEW = 6
"""Items in which "is" and "minimal" follow their noun."""
_BE = frozenset({"is", "was", "are", "seems", "sounds", "appears", "feels"})
_VOICED = frozenset({"tone", "note", "tones", "notes", "voice", "whistle", "melody"})
"""High or low is what their pitch is."""
_STRONGLY = frozenset({"very", "quite", "really", "extremely", "pretty", "so", "also", "almost", "rather", "fairly"})
_LITTLE = frozenset({
    "minimal", "low", "little", "negligible", "absent", "limited", "weak", "faint", "barely", "hardly", "nonexistent",
    "imperceptible", "none", "no",
})  # fmt: skip
_SLIGHT = frozenset({"slight", "subtle", "short"})
"""With "very": there is next to nothing."""
_TUNED = frozenset({"higher", "lower", "at", "around", "near", "about", "up", "down", "high", "low"})
_ENDS = {Edge.START: BEGINNING, Edge.END: ENDING}
_LISTED = frozenset({",", "or", "and", "nor", "any", "/", "obvious", "noticeable"})
"""Between the members of "no echo, reverb or hiss"."""
LESS_REACH = 5
"""Items between "less energy" and where."""
PACE_REACH = 4
"""Items between "rapid" and the plural that it speaks of."""


def comparative_of(around: Around, position: int, what: str, negated: bool = False) -> Compares | None:
    """The comparison in "more muffled", "less echo", "a more pronounced echo", "not as bright as"; None without such a
    word before."""
    scale = SCALES.get(what)
    if scale is not None and around.word(position - 1) == "as" and around.word(position + 1) == "as":
        return Compares(scale[0], scale[1].reverse if negated else Relation.SAME)
    if scale is not None and around.word(position - 1) == "equally":
        return Compares(scale[0], Relation.SAME)
    index = position - 1
    if around.word(index) in cues.DEGREES:
        index -= 1
    how = around.word(index)
    if scale is None or how not in ("more", "less") or around.word(index - 1) == "or":
        return None
    return Compares(scale[0], scale[1] if how == "more" else scale[1].reverse)


def quality_at(around: Around, focus: Focus, position: int, what: str) -> Timbre | Not | None:
    """What the quality at `position` says of the part that is spoken of."""
    if what == "noise" and around.is_background(position):
        return None
    if what in cues.OF_SOUNDS and around.word(position + 1) in cues.UNDER:
        return None
    if _is_of_attack(around, position):
        return None
    if focus.topic is Quantity.DECAY and what in ("long", "short"):
        what = "reverberant" if what == "long" else "dry"  # "the tail is long"
    if what in OPPOSITE and _is_little(around, position):
        what = OPPOSITE[what]
    if what in ("high", "bright") and _is_less_of(around, position):
        return None
    if what == "pitched" and around.word(position + 1) in _TUNED:
        return None  # "is pitched at 440 Hz", "is pitched higher"
    where: Part = focus.where
    end = around.meaning(position - 1)
    if isinstance(end, EdgeWord) and end.edge in _ENDS and not focus.clips:
        where = _ENDS[end.edge] if where is None else where  # "starts soft and ends loud"
    if focus.clause_part is None and focus.spot is None:
        where = around.part_ahead(position) or around.spot_ahead(position) or where
    if what == "silent" and focus.topic in (Quantity.GAP, Quantity.PAUSE):
        return Not(Count(0, Counted.PAUSES))  # "the gap is silent"
    if what == "silent" and not isinstance(where, Span):
        if not focus.clip:
            return None  # "then there is silence" says when, but not until when
        where = None
    return Timbre(what, where)


def says_of_speech(around: Around, position: int, item: Item) -> bool:
    """True for the speech of "no speech", "speech from 1 to 3 s" and "nobody speaks": whether there is any."""
    none = position - 1 - (around.word(position - 1) == "is")  # "nobody is speaking"
    if none >= 0 and around.meaning(none) is Word.NEGATION:
        nobody = around.word(none) in ("nobody", "no")
        return (item.word == "speech" or (item.word in _SAYS and nobody)) and (
            around.ends_clause(position) or around.word(position + 1) in _WHERE
        )
    return item.word == "speech" and around.word(position + 1) in _FROM and around.is_number(position + 2)


def predicate_of(around: Around, focus: Focus, position: int, what: str) -> Timbre | None:
    """The quality in "the volume is quite low" and "the pitch is high"."""
    index = position - 1
    while around.word(index) in _STRONGLY or around.word(index) in ("to", "be"):
        index -= 1
    topic = _TOPICS.get((focus.topic, what))
    if topic and isinstance(end := around.meaning(index), EdgeWord) and end.edge in _ENDS and not focus.clips:
        return Timbre(topic, _ENDS[end.edge])  # "the pitch starts low and ends high"
    if index < 0 or (around.word(index) not in _BE and around.word(index) != ":"):
        return None
    if around.word(index - 1) in _VOICED and around.ends_clause(position):
        topic = topic or what  # "the tone is quite high"
    return Timbre(topic, focus.where) if topic else None


def is_listed(around: Around, start: int, position: int) -> bool:
    """True if the item at `position` goes on a list that the item before the character `start` is in."""
    index = position - 1
    while index >= 0 and around.items[index].start >= start:
        if around.items[index].word not in _LISTED:
            return False
        index -= 1
    return index < position - 1


def pace_at(around: Around, focus: Focus, position: int, fast: bool) -> Pace | None:
    """How fast sounds follow each other, by "fast", "slow" and the like."""
    after = around.meaning(position + 1)
    if around.word(position + 1) in cues.NOT_A_PACE or isinstance(after, Moves):
        return None
    if position and isinstance(around.meaning(position - 1), Moves):
        return None
    if around.is_of_number(position):
        return None
    named = focus.part if focus.clips else focus.clause_part
    part = named if isinstance(named, int) else None
    return Pace(fast, focus.speech, part) if focus.speech or focus.timing or _of_many(around, position) else None


def evenness_at(around: Around, focus: Focus, position: int, meaning: Evenness) -> Statement | None:
    """Whether pitch, level, tempo or rhythm is the same throughout."""
    if around.is_partials(position + 1):
        return None
    quantity = meaning.quantity
    if quantity is None and meaning.timing_only and around.word(position) not in cues.OF_TWO:
        ahead = around.topic_ahead(position)
        quantity = ahead or focus.topic
    if quantity in (Quantity.PITCH, Quantity.LEVEL, Quantity.CENTROID, Quantity.TEMPO):
        part = None if quantity is Quantity.TEMPO else focus.where
        same = Change(quantity, part, Relation.SAME)
        return same if meaning.even else Not(same)
    return Regular(meaning.even) if focus.timing or not meaning.timing_only else None


def _of_many(around: Around, position: int) -> bool:
    """True for "rapid" in "rapid, high barks" and "a quick melody": of sounds in a row."""
    for index in range(position + 1, min(position + 1 + PACE_REACH, len(around.items))):
        item = around.items[index]
        if item.word in cues.ROWS or (item.meaning in (Word.PULSES, Word.EVENT) and item.word.endswith("s")):
            return True
        if item.meaning is None and item.word.endswith("s") and len(item.word) > 3 and item.word.isalpha():
            return item.word not in cues.SINGULAR
        if item.word in cues.ENDS_NOUN or item.meaning in (Word.CLAUSE, Word.NEGATION):
            return False
    return False


def _is_of_attack(around: Around, position: int) -> bool:
    """True for "the attack is soft" and "a sharp attack": how a sound begins, not how it is."""
    if around.word(position + 1) in cues.ATTACKS:
        return True
    before = [item.word for item in around.items[max(0, position - ATTACK_REACH) : position]]
    return any(word in cues.ATTACKS and then in _BE | {"that"} for word, then in pairwise(before))


def _is_less_of(around: Around, position: int) -> bool:
    """True for "high" in "less energy in the high range"."""
    before = {item.word for item in around.items[max(0, position - LESS_REACH) : position]}
    return bool(before & {"less", "little", "fewer"}) and bool(before & {"energy", "content", "presence"})


def _is_little(around: Around, position: int) -> bool:
    """True for "the reverb is very slight", "background noise is minimal"."""
    words = [item.word for item in around.items[position + 1 : position + 1 + FEW]]
    if words[:1] == ["tail"]:
        words = words[1:]
    if not words or (words[0] not in _BE and words[0] != ":"):
        return False
    strongly = False
    for word in words[1:]:
        if word in _LITTLE or (strongly and word in _SLIGHT):
            return True
        if word not in _STRONGLY:
            return False
        strongly = strongly or word in ("very", "extremely", "so", "really")
    return False
