"""What a comparative or a verb of change says: a comparison of two parts, or a change over the course of one."""

from __future__ import annotations

from reward.parse.around import Around
from reward.parse.focus import Focus
from reward.parse.lexicon import cues
from reward.parse.meanings import Compares, Moves, Ordinal, Sounds, Word
from reward.parse.words import Item
from reward.statements import BEGINNING, ENDING, Change, Comparison, Part, Quantity, Relation, Span

_STEADILY = frozenset({
    "progressively", "gradually", "steadily", "slowly", "slightly", "noticeably", "increasingly", "a", "much", "even",
    "continuously", "clearly",
})  # fmt: skip
"""Between "gets" and how."""
Said = tuple[Change | Comparison | None, int]
"""The statement, if there is one, and the position of the last item that it was read from."""


def change_at(around: Around, focus: Focus, position: int, moves: Moves) -> Said:
    """What the verb of change at `position` says."""
    quantity, relation, items = moves.quantity, moves.relation, around.items
    if quantity is None and relation is Relation.SAME and isinstance(around.meaning(position + 1), Sounds):
        return None, position  # "there is constant hiss"
    if quantity is Quantity.TEMPO and items[position].word in cues.FASTER and isinstance(focus.clause_part, int):
        return comparison_at(around, focus, position, Compares(Quantity.TEMPO, relation))
    if any(after.unit == "dB" for after in items[position + 1 : position + 5]):
        quantity = Quantity.LEVEL
    elif quantity is Quantity.PITCH and focus.topic in (Quantity.LEVEL, Quantity.TEMPO, Quantity.GAP):
        quantity = focus.topic
    if around.word(position + 1) in ("in", "of") and (of := around.quantity_in(position + 1)):
        quantity = of  # "a rise in level"
    elif quantity is None:
        quantity = Quantity.TEMPO if focus.topic is None and focus.pulses else focus.topic
        if quantity is None and relation is Relation.SAME:
            quantity = Quantity.PITCH
    if quantity is Quantity.GAP:
        if not focus.timing:
            return None, position
        quantity, relation = Quantity.TEMPO, relation.reverse
    if focus.clips and focus.clause_part is None and quantity in cues.OF_CLIPS and relation is not Relation.SAME:
        ahead = around.part_ahead(position)
        if ahead in (1, 2):  # "the volume drops in the second clip"
            return Comparison(quantity, ahead, 3 - ahead, relation), position
    if quantity is Quantity.TEMPO and focus.clause_part is None:
        return Change(Quantity.TEMPO, None, relation), position
    if quantity in (Quantity.PITCH, Quantity.LEVEL, Quantity.CENTROID):
        return Change(quantity, _stretch(focus), relation), position
    return None, position


def comparison_at(around: Around, focus: Focus, position: int, compares: Compares) -> Said:
    """What the comparative at `position` says; what was compared with is spoken of from then on."""
    quantity, relation = compares.quantity, compares.relation
    if relation is Relation.SAME and around.word(position - 1) == "times":
        relation = Relation.MORE  # "three times as long as"
    if focus.topic is Quantity.PARTIAL and quantity is not Quantity.PARTIAL:
        return None, position  # partials are compared, not sounds
    if around.word(position) in cues.OF_LEVEL and focus.topic is not Quantity.LEVEL:
        return None, position
    if quantity is Quantity.PITCH and Quantity.LEVEL in (focus.topic, around.topic(position + 1)):
        quantity = Quantity.LEVEL
    if quantity is Quantity.DURATION and focus.topic is Quantity.GAP and not compares.superlative:
        faster = Change(Quantity.TEMPO, None, relation.reverse)
        return (faster if focus.clause_part is None else None), position
    becomes = position - 1 - (around.word(position - 1) in _STEADILY)
    if becomes >= 0 and around.meaning(becomes) is Word.BECOMES and quantity is not Quantity.DURATION:
        return Change(quantity, _stretch(focus), relation), position
    other, last = around.than(position)
    if quantity is Quantity.DURATION and focus.pause is not None:
        named = compares.superlative or isinstance(other, int)
        return (Comparison(Quantity.PAUSE, focus.pause, other, relation) if named else None), last
    if last > position and other is None and around.is_limit(last):
        return None, last
    if last > position and around.is_successive(position, last):
        rising = quantity in (Quantity.PITCH, Quantity.LEVEL, Quantity.CENTROID) and relation is not Relation.SAME
        return (Change(quantity, None, relation) if rising else None), last
    if quantity in (Quantity.LEVEL, Quantity.PITCH) and around.of_noise(position):
        quantity, relation = Quantity.HARMONICITY, relation.reverse  # "its background is quieter"
    subject = _subject(around, focus, position, last, compares)
    if subject is None:
        return None, position  # "the peak is the highest amplitude" defines a peak
    if isinstance(subject, Span):
        other = other if isinstance(other, Span) else subject.rest
    elif other is None and not compares.superlative:
        other = {1: 2, 2: 1}.get(subject)
    said = None
    if other != subject:
        amount = around.amount_before(position, quantity) or around.amount_after(last, quantity)
        said = Comparison(quantity, subject, other, relation, amount)
    if last > position and not isinstance(subject, Span):
        focus.compared = subject
        focus.part = focus.clause_part = other or subject
    return said, last


def interval_at(around: Around, focus: Focus, position: int, item: Item) -> Said:
    """The comparison in "the second is an octave above the first"."""
    relation = {"above": Relation.MORE, "below": Relation.LESS}.get(around.word(position + 1))
    other = next((o for ahead in (2, 3) if isinstance(o := around.meaning(position + ahead), Ordinal)), None)
    if relation is None or other is None or not isinstance(focus.part, int) or focus.part == other.part:
        return None, position
    return Comparison(Quantity.PITCH, focus.part, other.part, relation, item.number), position + 2


def _subject(around: Around, focus: Focus, position: int, last: int, compares: Compares) -> Part:
    """What is compared; None where nothing is named."""
    ahead = around.ordinal_ahead(last)
    named = focus.clause_part or focus.spot or ahead
    if compares.superlative and not named and around.items[0].word not in cues.GOES_ON:
        return None
    subject = focus.clause_part or ahead or focus.spot or around.spot_ahead(position) or focus.part
    return 1 if subject is None and compares.relation is Relation.SAME else subject


def _stretch(focus: Focus) -> Part:
    """Where something changes: "towards the end" names its goal, "in the second half" and "after 1 s" a stretch."""
    where = focus.where
    return focus.part if isinstance(where, Span) and where in (BEGINNING, ENDING) else where
