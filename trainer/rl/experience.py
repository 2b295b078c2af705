"""What a step learns from: its trajectories as micro-batches, with old log-probs, values and advantages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from earwitness.recipe.schema import Reinforcement
from trainer.batches import AroundBatch, Batch, Mels, collate, spread
from trainer.errors import NonFiniteError
from trainer.learner import Learner
from trainer.model.logprobs import States, logprobs_and_entropy, response_values
from trainer.model.optimizer import forward
from trainer.model.policy import is_last_stage
from trainer.ranks.figures import BAD_ROW, bad_row, first_bad_row, maxima, sums
from trainer.ranks.parallel import all_reduce_sum, data_parallel, device
from trainer.rl.advantages import gae, group_normalised, leave_one_out, rewards_to_go, terminal_rewards, whiten
from trainer.rl.groups import Sample
from trainer.rl.kl import kl_tokens
from trainer.shares import micro_batches, share


@dataclass
class Experience(AroundBatch):
    """One micro-batch. Token tensors are fp32 in the shape of the mask; those with a default exist on the last pipeline
    stage."""

    batch: Batch
    rollout_logprobs: Tensor
    """Log-prob of each token when it was sampled."""
    reference_logprobs: Tensor | None
    """Under the frozen reference; None if the recipe has no KL term."""
    rewards: Tensor
    """[rows]"""
    baselined: Tensor
    """Reward less the baseline of its group, without a critic. [rows]"""
    old_logprobs: Tensor | None = None
    """Under the policy as the step begins; None: an update that begins with it finds them itself."""
    old_values: Tensor = field(default_factory=lambda: torch.empty(0))
    """Of the critic as the step begins."""
    advantages: Tensor = field(default_factory=lambda: torch.empty(0))
    returns: Tensor = field(default_factory=lambda: torch.empty(0))

    @property
    def mask(self) -> Tensor:
        """The response tokens. bool [rows, longest response]"""
        return self.batch.mask


@dataclass(frozen=True)
class Update:
    """One of the step's mini-batches."""

    micro_batches: list[Experience]
    """This rank's."""
    tokens: int
    """Response tokens over all ranks."""
    sequences: int
    """Trajectories over all ranks."""


def updates_of(
    groups: Sequence[Sequence[Sample]], stage: Reinforcement, mels: Mels, *, seed: int, step: int
) -> list[Update]:
    """Shuffles the groups and cuts them into mini-batches, this rank's rows of each into micro-batches.

    Rows of a group stay together, so that they share the encoding of their clip. Which rows meet in an update does not
    depend on the number of ranks. The old log-probs are computed on the very same micro-batches as the updates, so that
    padding and summation order cannot make the first ratio differ from 1.
    """
    order = np.random.default_rng([seed, step]).permutation(len(groups))
    scored = [
        (sample, baselined)
        for index in order
        for sample, baselined in zip(groups[index], baselines(groups[index], stage), strict=True)
    ]
    numbered = [(number, sample, baselined) for number, (sample, baselined) in enumerate(scored)]
    updates = []
    for index in range(stage.updates_per_step):
        part = share(numbered, [1] * len(numbered), index, stage.updates_per_step)
        if not part:  # so many trajectories were dropped that fewer are left than updates
            continue
        lengths = [len(sample.row.tokens) for _, sample, _ in part]
        own = share(part, lengths, *data_parallel()) or [(part[0][0], _muted(part[0][1]), 0.0)]
        cut = micro_batches(own, lambda scored: [len(scored[1].row.tokens)], stage)
        experiences = [_experience(rows, mels, stage.packed) for rows in cut]
        updates.append(Update(experiences, sum(sample.row.response_tokens for _, sample, _ in part), len(part)))
    return updates


def names_of(groups: Sequence[Sequence[Sample]], *, seed: int, step: int) -> list[str]:
    """What errors call the rows, by the numbers that `updates_of` gave them."""
    order = np.random.default_rng([seed, step]).permutation(len(groups))
    return [sample.row.name for index in order for sample in groups[index]]


def baselines(group: Sequence[Sample], stage: Reinforcement) -> list[float]:
    """Advantage of each trajectory from its group alone; 0 where a critic will say."""
    rewards = [sample.reward for sample in group]
    if stage.algorithm == "rloo":
        return leave_one_out(rewards)
    return group_normalised(rewards) if stage.algorithm == "grpo" else [0.0] * len(group)


def recall(
    policy: Learner,
    critic: Learner | None,
    updates: Sequence[Update],
    stage: Reinforcement,
    names: Sequence[str],
    *,
    first: bool = True,
) -> list[dict[str, Tensor]]:
    """Fills in old log-probs, old values and advantages; returns what `recalled` makes figures of.

    Without `first` the first update's old log-probs are left to its own forward pass, which runs under the same policy,
    unless advantages need them. All ranks call it; only the last pipeline stage has something to fill in. Raises
    NonFiniteError on all of them.
    """
    experiences = [experience for update in updates for experience in update.micro_batches]
    all_old = first or stage.algorithm == "reinforce++"
    asked = experiences if all_old else [e for update in updates[1:] for e in update.micro_batches]
    figures = forward(policy.model, asked, lambda states, e: _recall_policy(states, e, stage)) if asked else []
    _refuse(figures, "trainer or rollout log-prob", names)
    if critic is not None:
        _refuse(forward(critic.model, experiences, _recall_critic), "value", names)
    if is_last_stage():
        _fill_advantages(experiences, stage, critic is not None)
    return figures


def recalled(figures: Sequence[dict[str, Tensor]], tokens: int) -> dict[str, float]:
    """Entropy, and the gap between trainer and rollout, of a step's `tokens`, from figures of all its micro-batches."""
    added = sums(figures, ["entropy", "gap"])
    return {
        "entropy": added["entropy"] / tokens,
        "logprob_gap.mean": added["gap"] / tokens,
        "logprob_gap.max": maxima(figures, ["gap.max"])["gap.max"],
    }


def old_figures(e: Experience, old: Tensor, entropies: Tensor) -> dict[str, Tensor]:
    """What `recalled` reads of a micro-batch; sums over its tokens."""
    gap = torch.where(e.mask, (old - e.rollout_logprobs).abs(), torch.zeros_like(old))
    return {"entropy": entropies.sum(), "gap": gap.sum(), "gap.max": gap.max()}


def _recall_policy(states: States, e: Experience, stage: Reinforcement) -> dict[str, Tensor]:
    old, entropies = logprobs_and_entropy(states, e.batch, stage.sampling.temperature)
    e.old_logprobs = old
    return old_figures(e, old, entropies) | {BAD_ROW: bad_row(old - e.rollout_logprobs, e.mask, e.batch.numbers)}


def _recall_critic(values: Tensor, e: Experience) -> dict[str, Tensor]:
    e.old_values = response_values(values, e.batch)
    return {BAD_ROW: bad_row(e.old_values, e.mask, e.batch.numbers)}


def _fill_advantages(experiences: Sequence[Experience], stage: Reinforcement, has_critic: bool) -> None:
    for e in experiences:
        if has_critic:
            rewards = terminal_rewards(e.rewards, e.mask)
            e.advantages, e.returns = gae(rewards, e.old_values, e.mask, gamma=stage.gamma, lam=stage.gae_lambda)
        elif stage.algorithm == "reinforce++":
            rewards = terminal_rewards(e.rewards, e.mask)
            if e.reference_logprobs is not None:
                assert e.old_logprobs is not None, "they are recalled for this algorithm"
                rewards = rewards - stage.kl_coef * kl_tokens(e.old_logprobs, e.reference_logprobs, "k1")
            e.advantages = rewards_to_go(rewards, e.mask, gamma=stage.gamma)
        else:
            e.advantages = torch.where(e.mask, e.baselined[:, None], torch.zeros_like(e.rollout_logprobs))
    if (has_critic and stage.whiten_advantages) or stage.algorithm == "reinforce++":
        flat = torch.cat([e.advantages[e.mask] for e in experiences])
        white = whiten(flat, torch.ones_like(flat, dtype=torch.bool), all_reduce_sum)
        for e, part in zip(experiences, white.split([int(e.mask.sum()) for e in experiences]), strict=True):
            e.advantages[e.mask] = part


def _refuse(figures: Sequence[dict[str, Tensor]], what: str, names: Sequence[str]) -> None:
    row = first_bad_row(figures)
    if row is not None:
        raise NonFiniteError(what, names[row])


def _experience(rows: Sequence[tuple[int, Sample, float]], mels: Mels, packed: bool) -> Experience:
    batch = collate([(number, sample.row) for number, sample, _ in rows], mels, device(), packed=packed)
    samples = [sample for _, sample, _ in rows]
    references = [s.reference_logprobs for s in samples if s.reference_logprobs is not None]
    return Experience(
        batch=batch,
        rollout_logprobs=spread([s.rollout_logprobs for s in samples], batch.mask),
        reference_logprobs=spread(references, batch.mask) if references else None,
        rewards=torch.tensor([s.reward for s in samples], dtype=torch.float32, device=device()),
        baselined=torch.tensor([advantage for _, _, advantage in rows], dtype=torch.float32, device=device()),
    )


def _muted(sample: Sample) -> Sample:
    """The sample with no token that counts."""
    none = sample.rollout_logprobs[:0]
    reference = None if sample.reference_logprobs is None else none
    return replace(sample, row=sample.row.muted(), rollout_logprobs=none, reference_logprobs=reference)
