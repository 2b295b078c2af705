"""A statement that was read in a trace."""

from __future__ import annotations

from typing import NamedTuple

from reward.families import family_of
from reward.statements import Statement


class Claim(NamedTuple):
    """A statement and the words it was made with."""

    text: str
    """As it stands in the trace."""
    statement: Statement
    uncertain: bool = False
    """True for "might be", "perhaps": said, but not claimed."""

    @property
    def kind(self) -> str:
        """Name of its family, for reports."""
        return family_of(self.statement).name
