"""What a trace claims: from its text to typed statements about the sound."""

from reward.parse import extract_claims

__all__ = ["extract_claims"]
