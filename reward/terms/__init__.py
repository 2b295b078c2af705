"""The terms of the reward, one file each, and how a rule makes one number of them."""

from __future__ import annotations

from collections.abc import Mapping

from earwitness.errors import InputError
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.terms import correct, grounded, overlong, presence
from reward.terms.base import Scored, Term

TERMS: dict[str, Term] = {room.TERM.name: room.TERM for room in (correct, presence, grounded, overlong)}
REASONING = ("presence", "grounded")
"""Terms that say what the reasoning is worth."""

_OLD_NAMES = {
    trajectory_pb2.REASONING_TERM_PRESENCE: "presence",
    trajectory_pb2.REASONING_TERM_GROUNDED: "grounded",
}


def weights_of(rule: trajectory_pb2.RewardRule) -> dict[str, float]:
    """Weight by term; of a rule of an older release too. Raises InputError for a rule without a term that is known."""
    weights = dict(rule.weights)
    if not weights and rule.reasoning_term in _OLD_NAMES:
        weights = {"correct": rule.correct_weight, _OLD_NAMES[rule.reasoning_term]: rule.reasoning_weight}
    unknown = sorted(weights.keys() - TERMS.keys())
    if unknown or not weights:
        problem = f"{unknown[0][:80]!r} is no term" if unknown else "has no weights"
        raise InputError("group.task.reward", problem, f"weights of {', '.join(TERMS)}")
    return weights


def reward_of(
    scored: Scored, weights: Mapping[str, float], *, audio: bool, truncated: bool
) -> tuple[float, dict[str, float]]:
    """(R, value of each term of the rule).

    Of a prompt without audio, R is whether the answer is right, and the terms that are of text too; what was cut off
    has only those that are of such responses.
    """
    if not audio:
        weights = {**weights, "correct": 1.0}
    parts = {name: term.value(scored) for name, term in TERMS.items() if name in weights}
    counted = [
        name
        for name in parts
        if (audio or name == "correct" or TERMS[name].of_text) and (not truncated or TERMS[name].of_truncated)
    ]
    return sum(weights[name] * parts[name] for name in counted), parts
