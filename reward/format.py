"""Is the response shaped as asked: one closed, non-empty think block, then a non-empty answer?

The prompt already ends in `<think>`, so a response starts inside the block and must not open another one.
"""

from __future__ import annotations

from dataclasses import dataclass

from earwitness.chat import without_end
from earwitness.families.family import THINK, THINK_END

MAX_RESPONSE_CHARS = 200_000
"""Longer responses are cut before anything reads them: five times what 10,240 tokens hold."""


@dataclass(frozen=True)
class Response:
    """A response taken apart. `reasoning` and `answer` are None where the response has none."""

    reasoning: str | None
    answer: str | None
    well_formed: bool


def parse_response(text: str, min_think_chars: int) -> Response:
    """Takes `text` (what was sampled after the prompt) apart.

    Well formed means: exactly one closing tag, no opening tag, at least `min_think_chars` non-space characters before
    it, and a non-empty answer after it. With several closing tags the answer is what follows the last one, so that
    correctness can still be judged, but the response is malformed.
    """
    text = without_end(text[:MAX_RESPONSE_CHARS])
    head, tag, tail = text.rpartition(THINK_END)
    if not tag:
        return Response(reasoning=text.strip() or None, answer=None, well_formed=False)
    reasoning, answer = head.strip(), tail.strip()
    single = THINK_END not in head and THINK not in text
    long_enough = visible_chars(reasoning) >= max(min_think_chars, 1)
    return Response(
        reasoning=reasoning or None,
        answer=answer or None,
        well_formed=single and long_enough and bool(answer),
    )


def visible_chars(text: str) -> int:
    """Characters of `text` that show: spaces, control and zero-width characters do not make a block non-empty."""
    return sum(1 for character in text if character.isprintable() and not character.isspace())
