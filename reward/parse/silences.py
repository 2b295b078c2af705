"""Looks for silence around a place in a sentence: "then a short pause", "a moment of silence separates the two"."""

from __future__ import annotations

from reward.parse.meanings import Sounds
from reward.parse.nouns import Nouns

_BETWEEN = frozenset({"separates", "separate", "follows", "between", "divides", "parts"})
_BRIEFLY = frozenset({"a", "short", "brief", "slight", "small", "long", "gap", "moment", "bit", "of"})


class Silences(Nouns):
    """The items of one sentence, asked for silence by position."""

    def follows(self, position: int) -> bool:
        """True for "then silence" and "after a short pause": there is one, however long."""
        if any(item.number is not None for item in self.items[position + 1 : position + 4]):
            return False
        if self.word(position) not in ("pause", "silence", "silent", "brief", "short", "break"):
            return False
        index = self._before_briefly(position)
        while self.word(index) in ("by", "is"):
            index -= 1
        return self.word(index) in ("then", "after", "there's", "followed")

    def is_silence_between(self, position: int) -> bool:
        """True for "a short silence separates the two" and "there's a gap of silence between them"."""
        after = self.word(position + 1)
        if self.word(position) not in ("silence", "pause", "break") or after not in _BETWEEN:
            return False
        index = self._before_briefly(position)
        if index >= 0 and self.items[index].unit:
            return False  # "a 0.5 s pause"
        if after == "between" and self.word(index) not in ("there's", "is", "hear", "with", "was"):
            return False
        return index < position - 1 and not any(item.unit for item in self.items[position + 1 : position + 5])

    def _before_briefly(self, position: int) -> int:
        """The position before "a short moment of" before `position`."""
        index = position - 1
        while self.word(index) in _BRIEFLY and not self.items[index].unit:
            index -= 1
        return index

    def is_silent_after(self, position: int) -> bool:
        """True for the 1.5 s of "the last 1.5 s are silent"."""
        ahead = self.items[position + 1 : position + 5]
        return any(item.meaning == Sounds("silent") or item.word in ("silence", "nothing") for item in ahead)
