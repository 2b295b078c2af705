"""Counts of one sentence taken together: of several kinds of sounds, or counted up.

"Three taps followed by one beep" counts taps and beeps, but a clip's sounds are counted without their kind: neither
number is that of all. "One beep, two beeps, three beeps" counts up to three.
"""

from __future__ import annotations

from reward.parse.aloud import LEAST_ALOUD
from reward.parse.found import Found
from reward.parse.lexicon.sources import SOURCE_OF
from reward.parse.meanings import Ordinal, Word
from reward.parse.qualities import SCALES
from reward.parse.unread import Unread
from reward.parse.words import Item
from reward.statements import Count, Counted, Part, Timbre

SEVERAL_KINDS = "counts one kind of several sounds"
NOUN_REACH = 4
"""Items between "a" and its noun: "and then a short, low beep"."""
_MORE = frozenset({"and", "then", "plus", "by", "before"})
"""Before "a bell": it sounds too."""
_ONE = frozenset({"a", "an", "one", "another"})
_ALL = frozenset({"sounds", "events", "sound", "occurrences", "instances"})
_NOT_ONE = frozenset({"rhythm", "series", "succession", "timing", "train", "beat", "sound", "sounds", "tone", "tones"})
"""Nouns for what was counted."""


def of_one_kind(found: list[Found], items: list[Item], text: str) -> tuple[list[Found], list[Unread]]:
    """`found` without what several of them say of different things, and which counts are left out for that."""
    found = _without_opposites(found) if len(found) > 1 else found
    counts = [
        f for f in found if isinstance(f.statement, Count) and f.statement.of is Counted.EVENTS and not f.uncertain
    ]
    if not counts:
        return found, []
    dropped: list[Found] = []
    for part in {f.statement.part for f in counts if isinstance(f.statement, Count)}:
        dropped += _not_of_all([f for f in counts if getattr(f.statement, "part", None) == part], items)
    if not dropped:
        return found, []
    several = (
        [] if _counts_up(dropped) else [Unread(text[f.start : f.end].strip(" ,:-"), SEVERAL_KINDS) for f in dropped]
    )
    if len(dropped) > 1 and several:  # what is said of one kind is not said of all: "two low thuds and a sharp crack"
        found = [f for f in found if not (isinstance(f.statement, Timbre) and f.statement.part is None)]
    return [f for f in found if f not in dropped], several


def _not_of_all(counts: list[Found], items: list[Item]) -> list[Found]:
    """Those of the counts of a part that do not count all its sounds."""
    values = [f.statement.value for f in counts if isinstance(f.statement, Count)]
    if len(set(values)) > 1:
        if values == list(range(1, len(values) + 1)) and len(values) >= LEAST_ALOUD:
            return counts[:-1]
        whole = [f for f, value in zip(counts, values, strict=True) if 2 * value == sum(values)]
        return [f for f in counts if f not in whole[:1]]  # "four beeps, three low ones and one high"
    return counts if len(values) == 1 and _another_sounds(counts[0], items) else []


def _counts_up(dropped: list[Found]) -> bool:
    return len(dropped) >= LEAST_ALOUD - 1 and isinstance(one := dropped[0].statement, Count) and one.value == 1


def _another_sounds(count: Found, items: list[Item]) -> bool:
    """True for "two knocks and then a bell"."""
    generic = any(item.word in _ALL for item in items if count.start <= item.start < count.end)
    if generic:
        return False  # "two sounds: a thud and a chime"
    named = {_stem(item.word) for item in items if count.start <= item.start < count.end}
    for index, item in enumerate(items[:-1]):
        if item.start < count.end or item.word not in _ONE or items[index - 1].word not in _MORE:
            continue
        for ahead in items[index + 1 : index + 1 + NOUN_REACH]:
            if isinstance(ahead.meaning, Ordinal) or ahead.word in _NOT_ONE:
                break
            if ahead.meaning in (Word.EVENT, Word.PULSES) or ahead.word in SOURCE_OF:
                return _stem(ahead.word) not in named
    return False


def _without_opposites(found: list[Found]) -> list[Found]:
    """`found` without both of "two low tones and three high ones": neither is of all."""
    said: dict[tuple[object, Part], set[str]] = {}
    for f in found:
        if isinstance(f.statement, Timbre) and f.statement.what in SCALES:
            said.setdefault((SCALES[f.statement.what][0], f.statement.part), set()).add(f.statement.what)
    both = {(what, key[1]) for key, whats in said.items() if len(whats) > 1 for what in whats}
    return (
        [f for f in found if not (isinstance(f.statement, Timbre) and (f.statement.what, f.statement.part) in both)]
        if both
        else found
    )


def _stem(word: str) -> str:
    return word.rstrip("s")
