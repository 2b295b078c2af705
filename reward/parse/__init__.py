"""From the text of a trace to typed claims about the sound."""

from reward.parse.extract import extract_claims

__all__ = ["extract_claims"]
