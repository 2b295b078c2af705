"""What an importer is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from earwitness.data.choices import settled
from earwitness.data.fields import kept, needed, needed_sound, text
from earwitness.data.question import Question, Row

Columns = Mapping[str, str]
"""Column by key of the question, where a person has said so."""


def of_choices(
    fields: Mapping[str, Any], choices: Sequence[str], answer: str, sound: Sequence[str], kind: str, more: Sequence[str]
) -> Question:
    """A question whose answer is the text of a choice. Columns: `sound` of the clip, the first that has one, `kind` of
    its kind, `more` of what is kept. Raises LeftOut."""
    different, right = settled(choices, answer)
    return Question(
        needed(fields, "id"),
        needed(fields, "question"),
        right,
        "choice",
        different,
        needed_sound(fields, *sound),
        text(fields, kind),
        extra=kept(fields, more),
    )


@dataclass(frozen=True)
class Importer:
    """One data set's layout."""

    question: Callable[[Row, Columns], Question]
    """Makes a question of a row. Raises LeftOut."""
    files: tuple[str, ...] = ()
    """Patterns of the files with rows, where the folder holds others too."""
    about: Mapping[str, Any] | None = None
    """What is known of it: where it is from, its licence; None for data sets of which nothing is."""
    by_split: bool = False
    """True if each split is a manifest of its own; else one holds all."""
