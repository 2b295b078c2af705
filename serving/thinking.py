"""Takes a response apart while it comes: what is reasoning, what is the answer."""

from __future__ import annotations

from typing import NamedTuple

from earwitness.families.family import THINK_END


class Said(NamedTuple):
    """A piece of a response; either part may be empty."""

    reasoning: str = ""
    answer: str = ""


class Thinking:
    """A response starts inside the think block. What may be the beginning of the closing tag is held back until it is
    known; white space around either part is left out."""

    def __init__(self) -> None:
        self.closed = False
        """True once the think block has ended."""
        self._reasoning, self._answer = Trimmed(), Trimmed()
        self._held = ""

    def take(self, text: str) -> Said:
        """The next piece of the response, as it was decoded."""
        if self.closed:
            return Said(answer=self._answer.take(text))
        head, tag, tail = (self._held + text).partition(THINK_END)
        if tag:
            self.closed, self._held = True, ""
            return Said(self._reasoning.take(head), self._answer.take(tail))
        open_end = next((n for n in range(len(THINK_END) - 1, 0, -1) if head.endswith(THINK_END[:n])), 0)
        self._held = head[len(head) - open_end :]
        return Said(self._reasoning.take(head.removesuffix(self._held)))

    def end(self) -> Said:
        """What was held back of a response that ends."""
        return Said(self._reasoning.take(self._held))


class Trimmed:
    """A text that comes in pieces, without the white space around it."""

    def __init__(self) -> None:
        self._space = ""
        """Behind what has been given: it stands between words, or it ends the text."""
        self._begun = False

    def take(self, text: str) -> str:
        """What can be given now."""
        text = self._space + text if self._begun else text.lstrip()
        kept = text.rstrip()
        self._space = text[len(kept) :]
        self._begun = self._begun or bool(kept)
        return kept
