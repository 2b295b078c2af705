"""From groups of trajectories to rows with rewards and log-probs; a group that cannot be trained on is refused here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from earwitness.errors import InputError
from earwitness.wire.trajectory.v1 import trajectory_pb2
from trainer.batches import Row
from trainer.errors import NonFiniteError
from trainer.mels import clips_of


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
    clips = clips_of(group.task)
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
                row=Row(tokens, len(prompt), clips, name),
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
