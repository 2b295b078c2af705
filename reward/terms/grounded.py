"""Presence, scaled by how much of its checkable claims the waveform supports beyond what a blind guess would have."""

from __future__ import annotations

from reward.terms.base import Scored, Term

MIN_CLAIMS = 1
"""Fewest distinct checkable claims of a trace that earns the term: none said, none earned."""


def _value(scored: Scored) -> float:
    checkable = scored.grounding.supported + scored.grounding.contradicted
    return scored.grounding.earned if scored.well_formed and checkable >= MIN_CLAIMS else 0.0


TERM = Term("grounded", _value)
