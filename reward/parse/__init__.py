"""From the text of a trace to typed claims about the sound."""

from reward.parse.extract import Reading, extract_claims, presupposed, read_trace

__all__ = ["Reading", "extract_claims", "presupposed", "read_trace"]
