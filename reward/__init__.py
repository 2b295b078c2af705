"""Rewards: format, correctness and grounding, and how they combine. Knows nothing of gRPC or queues."""
