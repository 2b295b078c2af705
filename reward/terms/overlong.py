"""Soft overlong punishment of DAPO (arXiv 2503.14476, eq. 13): the last tokens before the limit cost ever more.

With L the most tokens of a response and B the buffer: 0 up to L - B tokens, then (L - B - length) / B, down to -1 at L
and for what was cut off there. It is part of every reward, also of prompts without audio.
"""

from __future__ import annotations

from reward.terms.base import Scored, Term

OPTION = "overlong.buffer_tokens"


def _value(scored: Scored) -> float:
    buffer = dict(scored.rule.options).get(OPTION, 0.0)
    if buffer <= 0:
        return 0.0
    return max(-1.0, min(0.0, (scored.max_tokens - buffer - scored.tokens) / buffer))


TERM = Term("overlong", _value, of_text=True, of_truncated=True)
