"""Is there reasoning at all? The paper's rule: a closed, non-empty think block, then an answer."""

from __future__ import annotations

from reward.terms.base import Term

TERM = Term("presence", lambda scored: float(scored.well_formed))
