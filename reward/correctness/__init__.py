"""Is the final answer right? One strict rule per verifier; wrappers around the answer are taken off first."""

from reward.correctness.rules import Verified, read_answer, verify_answer
from reward.correctness.unwrap import canonical, unwrap

__all__ = ["Verified", "canonical", "read_answer", "unwrap", "verify_answer"]
