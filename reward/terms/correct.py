"""Is the answer right? R = 1 of prompts without audio is this term alone, whatever its weight."""

from __future__ import annotations

from reward.terms.base import Term

TERM = Term("correct", lambda scored: float(scored.correct))
