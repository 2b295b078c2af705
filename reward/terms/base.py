"""What a term of the reward is, and what it looks at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.grounding import Grounding


@dataclass(frozen=True)
class Scored:
    """A trajectory and what was found out about it."""

    rule: trajectory_pb2.RewardRule
    correct: bool
    """Whether the verified answer is right."""
    well_formed: bool
    """Whether a closed, non-empty think block and an answer are there; never so if generation was cut off."""
    grounding: Grounding
    """Its claims; empty for prompts without audio."""
    tokens: int
    """Of the response."""
    max_tokens: int
    """Most that it could have had."""


@dataclass(frozen=True)
class Term:
    """One term of the reward: R = sum of weight * value."""

    name: str
    """In recipes, in rules, in figures."""
    value: Callable[[Scored], float]
    of_text: bool = False
    """Whether it is part of the reward of prompts without audio too."""
    of_truncated: bool = False
    """Whether it is part of the reward of a response that was cut off, which earns nothing else."""
