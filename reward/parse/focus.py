"""What a sentence speaks of at the word that is being read."""

from __future__ import annotations

from dataclasses import dataclass

from reward.parse.asked import Asked
from reward.parse.meanings import Counts, Edge, Moves, Sounds, Topic, Word
from reward.parse.words import Item
from reward.statements import Part, Quantity, Span

_OF_TIMING = (Quantity.GAP, Quantity.TEMPO)

_VERBS = frozenset({"is", "has", "was", "had", "lasts", "lasted", "sounds", "also", "ends", "starts", "begins"})


@dataclass(slots=True)
class Focus:
    """Set by the words read so far; the flags at the end by the whole sentence."""

    part: Part
    """The event named last, also in the sentence before."""
    clause_part: Part = None
    """The event named in this clause."""
    compared: Part = None
    """What was compared last: "... is louder than the first but is shorter" goes on about it."""
    spot: Span | None = None
    """The stretch named in this clause."""
    pause: int | None = None
    """The n-th pause, named in this clause."""
    topic: Quantity | None = None
    spanned: Quantity | None = None
    """The topic before "spans"."""
    edge: Edge | None = None
    edge_verb: Edge | None = None
    """ "begins with" or "ends with" came last."""
    clip: bool = False
    """The subject is the clip, not an event."""
    pulses: bool = False
    """The subject is a train of events."""
    counted: bool = False
    """A number of sounds was stated in this sentence."""
    pattern: bool = False
    """The subject is a pattern."""
    timing: bool = False
    """Gaps, tempo or pulses are spoken of."""
    moving: bool = False
    """A change is spoken of."""
    lasting: bool = False
    """The question is how long something is."""
    clips: bool = False
    """Its parts are two joined clips, not sounds."""
    speech: bool = False
    """Somebody speaks."""

    @property
    def where(self) -> Part:
        """The part that a statement about one sound or stretch is about."""
        return self.spot if self.clause_part is None and self.spot is not None else self.part

    def resume(self, word: str) -> None:
        """Goes back to what was compared last, at a clause that begins with a verb."""
        if self.compared is not None and word in _VERBS:
            self.part = self.clause_part = self.compared

    def new_clause(self) -> None:
        """Forgets what does not outlast a clause."""
        self.topic = self.edge = self.clause_part = self.spot = self.pause = None
        self.pattern, self.edge_verb = False, None


def focus_of(items: list[Item], part: Part, asked: Asked) -> Focus:
    """The focus at the beginning of a sentence that goes on about `part`."""
    focus = Focus(part, clips=asked.two_clips, timing=asked.rhythm, lasting=asked.length)
    for item in items:
        meaning = item.meaning
        if meaning is None:
            continue
        if isinstance(meaning, Word):
            focus.timing = focus.timing or meaning is Word.PULSES
            focus.speech = focus.speech or meaning is Word.SPEECH
        elif isinstance(meaning, Sounds):
            focus.speech = focus.speech or meaning.what == "speech"
        elif isinstance(meaning, Topic):
            focus.timing = focus.timing or meaning.quantity in _OF_TIMING
        elif isinstance(meaning, Moves):
            focus.moving = True
        elif isinstance(meaning, Counts):
            focus.timing = True
    return focus
