"""Cuts an answer that comes in pieces into what is spoken in one breath."""

from __future__ import annotations

import re

CLAUSE_END = re.compile(r"(?:[.!?;:,]+[\"')\]]*(?=\s)|\n|\s[-–—](?=\s))")
"""Behind "3." of "3.5" and "1," of "1,000" there is no space."""
SHORT_CHARS = 12
"""A clause shorter than this waits for the next: "A. first" is said in one breath."""
LONG_CHARS = 200
"""Words without any mark are cut behind so many characters: speech must not wait for their end."""


class Clauses:
    """A text, clause by clause; all clauses together are the text."""

    def __init__(self) -> None:
        self._held = ""

    def take(self, text: str) -> list[str]:
        """Clauses that have ended with the next piece."""
        self._held += text
        found = []
        while cut := self._cut():
            found.append(self._held[:cut])
            self._held = self._held[cut:]
        return found

    def end(self) -> list[str]:
        """The last clause; none if nothing is left to be said."""
        last, self._held = self._held, ""
        return [last] if last.strip() else []

    def _cut(self) -> int:
        for mark in CLAUSE_END.finditer(self._held):
            if len(self._held[: mark.end()].strip()) >= SHORT_CHARS:
                return mark.end()
        if len(self._held) > LONG_CHARS:
            return self._held.rfind(" ", 1, LONG_CHARS) + 1 or LONG_CHARS
        return 0
