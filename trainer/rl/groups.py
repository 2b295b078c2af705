"""From groups of trajectories to rows with rewards and log-probs; a group that cannot be trained on is refused here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earwitness.chat import think_length
from earwitness.errors import InputError
from earwitness.wire.trajectory.v1 import trajectory_pb2
from trainer.batches import Row
from trainer.errors import NonFiniteError
from trainer.mels import SILENCE


@dataclass(frozen=True)
class Sample:
    """One trajectory as the trainer sees it."""

    ordinal: int
    """Its group: the unit of the ledger."""
    row: Row
    """Prompt and response tokens."""
    reward: float
    """The scalar that RL uses."""
    rollout_logprobs: NDArray[np.float32]
    """Log-prob of each response token when it was sampled. [response tokens]"""
    reference_logprobs: NDArray[np.float32] | None
    """Log-prob of each response token under the frozen reference; None if not needed. [response tokens]"""


def samples_of(group: trajectory_pb2.Group, *, vocab_size: int, max_positions: int) -> list[Sample]:
    """The group's trajectories, without those that the reward service dropped.

    Raises InputError or NonFiniteError, naming the trajectory, if any cannot be trained on, or if none is left.
    """
    prompt = np.array(group.prompt_token_ids, dtype=np.int64)
    clip = SILENCE if group.task.without_audio else group.task.prompt.audio_uri
    samples = []
    for trajectory in group.trajectories:
        if trajectory.reward.drop_reason:
            continue
        name = f"ordinal {group.task.ordinal}, trajectory {trajectory.index}"
        tokens = np.concatenate([prompt, np.array(trajectory.token_ids, dtype=np.int64)])
        _check(name, trajectory, group.task.needs_reference)
        if len(tokens) > max_positions or tokens.max() >= vocab_size:
            problem = f"{len(tokens)} tokens with ids up to {tokens.max()}"
            raise InputError(name, problem, f"at most {max_positions} tokens with ids below {vocab_size}")
        reference = np.array(trajectory.reference_logprobs, dtype=np.float32) if group.task.needs_reference else None
        samples.append(
            Sample(
                ordinal=group.task.ordinal,
                row=Row(tokens, len(prompt), clip, name),
                reward=trajectory.reward.total,
                rollout_logprobs=np.array(trajectory.logprobs, dtype=np.float32),
                reference_logprobs=reference,
            )
        )
    if not samples:
        reasons = ", ".join(sorted({t.reward.drop_reason for t in group.trajectories})) or "it holds none"
        raise InputError(f"ordinal {group.task.ordinal}", f"no trajectory is left ({reasons})", "at least one")
    return samples


def spans_of(group: trajectory_pb2.Group) -> list[trajectory_pb2.VersionSpan]:
    """Which weights generated the group's samples: at least one span, of a group that `samples_of` accepts."""
    samples = [trajectory for trajectory in group.trajectories if not trajectory.reward.drop_reason]
    return [span for trajectory in samples for span in trajectory.versions]


def _check(name: str, trajectory: trajectory_pb2.Trajectory, needs_reference: bool) -> None:
    tokens = len(trajectory.token_ids)
    if tokens == 0:
        raise InputError(f"{name}, token_ids", "is empty", "at least one token")
    for what, numbers in (
        ("logprobs", trajectory.logprobs),
        ("reference_logprobs", trajectory.reference_logprobs if needs_reference else None),
    ):
        if numbers is None:
            continue
        if len(numbers) != tokens:
            raise InputError(f"{name}, {what}", f"{len(numbers)} numbers", f"one for each of {tokens} tokens")
        if not np.isfinite(numbers).all():
            raise NonFiniteError(what, name)
    if (covered := sum(span.tokens for span in trajectory.versions)) != tokens:
        raise InputError(f"{name}, versions", f"of {covered} tokens", f"one for each of {tokens} tokens")
    if not np.isfinite(trajectory.reward.total):
        raise NonFiniteError("reward", name)


def group_metrics(groups: Sequence[trajectory_pb2.Group], version: int, think_end: Sequence[int]) -> dict[str, float]:
    """What the groups of a step say of the policy and of the stations they passed.

    `version`: of the policy that will learn from them; `think_end`: ids of what closes the think block.
    Shares of nothing (no checkable claim) are 0.
    """
    trajectories = [t for group in groups for t in group.trajectories if not t.reward.drop_reason]
    rewards = [t.reward for t in trajectories]
    supported = sum(r.supported for r in rewards)
    checked = supported + sum(r.contradicted for r in rewards)
    parts = sorted({name for r in rewards for name in r.parts} - {"correct", "presence", "grounded"})  # told above
    return {
        "reward.mean": _mean([r.total for r in rewards]),
        "correct.mean": _mean([r.correct for r in rewards]),
        "reasoning.mean": _mean([r.reasoning for r in rewards]),
        **{f"part.{name}.mean": _mean([r.parts[name] for r in rewards]) for name in parts},
        "supported_share": supported / checked if checked else 0.0,
        "surrogate_share": _mean([r.surrogate for r in rewards]),
        "truncated_share": _mean([r.truncated for r in rewards]),
        "think_tokens.mean": _mean([think_length(t.token_ids, think_end) for t in trajectories]),
        "staleness.mean": _mean([version - t.versions[0].version for t in trajectories]),
        "trajectories": len(trajectories),
        "seconds.generate": _mean([group.generate_seconds for group in groups]),
        "seconds.score": _mean([group.score_seconds for group in groups]),
        "seconds.reference": _mean([group.reference_seconds for group in groups]),
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0
