"""What an importer is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from earwitness.data.question import Question, Row

Columns = Mapping[str, str]
"""Column by key of the question, where a person has said so."""


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
