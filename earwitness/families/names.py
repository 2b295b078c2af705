"""What a family's checkpoints call a weight that trainer and rollout have a name of their own for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Names:
    """The names of one family."""

    beginnings: Sequence[tuple[str, str]] = ()
    """Of names, ours and theirs; `#` is a layer's number. The first that fits holds; none: theirs is ours."""
    saved: tuple[str, str] | None = None
    """How transformers writes a part of a name that is published otherwise: as it saves it, as it is published."""
    others: tuple[str, ...] = ()
    """Beginnings of the names of parts that are neither trained nor rolled out."""

    def published(self, ours: str) -> str:
        """What published checkpoints call the weight that we call `ours`."""
        return _renamed(ours, self._theirs)

    def ours(self, stored: str) -> str:
        """What we call the weight that a checkpoint, published or saved by transformers, calls `stored`."""
        return _renamed(stored.replace(*self.saved, 1) if self.saved else stored, self._ours)

    def passes(self, stored: str) -> bool:
        """Whether the weight belongs to a part that travels through untouched."""
        return stored.startswith(self.others)

    @cached_property
    def _theirs(self) -> list[tuple[re.Pattern[str], str]]:
        return [_rule(ours, theirs) for ours, theirs in self.beginnings]

    @cached_property
    def _ours(self) -> list[tuple[re.Pattern[str], str]]:
        return [_rule(theirs, ours) for ours, theirs in self.beginnings]


OURS = Names()
"""A family whose names are those that we took."""


def _renamed(name: str, rules: list[tuple[re.Pattern[str], str]]) -> str:
    for pattern, replacement in rules:
        renamed, found = pattern.subn(replacement, name)
        if found:
            return renamed
    return name


def _rule(start: str, other: str) -> tuple[re.Pattern[str], str]:
    return re.compile("^" + re.escape(start).replace(re.escape("#"), r"(\d+)")), other.replace("#", r"\1")
