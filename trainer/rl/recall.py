"""What a step's trajectories look like before it learns from them: old log-probs, values, advantages."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from earwitness.recipe.schema import Reinforcement
from trainer.errors import NonFiniteError
from trainer.learner import Learner
from trainer.model.logprobs import States, logprobs_and_entropy, response_values
from trainer.model.optimizer import forward
from trainer.ranks.figures import BAD_ROW, bad_row, first_bad_row, maxima, sums
from trainer.ranks.parallel import all_reduce_sum, is_last_stage
from trainer.rl.advantages import ADVANTAGES, Outcome, terminal_rewards, whiten
from trainer.rl.experience import Experience, Update
from trainer.rl.kl import kl_tokens


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
    all_old = first or stage.algorithm.kl_in_reward
    asked = experiences if all_old else [e for update in updates[1:] for e in update.micro_batches]
    figures = forward(policy.model, asked, lambda states, e: _recall_policy(states, e, stage)) if asked else []
    _refuse(figures, "trainer or rollout log-prob", names)
    if critic is not None:
        _refuse(forward(critic.model, experiences, _recall_critic), "value", names)
    if is_last_stage():
        fill_advantages(experiences, stage)
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


def fill_advantages(experiences: Sequence[Experience], stage: Reinforcement) -> None:
    """Advantages, and returns if there is a critic, of a step's micro-batches on this rank."""
    estimate = ADVANTAGES[stage.algorithm.type]
    for e in experiences:
        rewards = terminal_rewards(e.rewards, e.mask)
        if stage.algorithm.kl_in_reward and e.reference_logprobs is not None:
            assert e.old_logprobs is not None, "they are recalled for this algorithm"
            rewards = rewards - stage.kl_coef * kl_tokens(e.old_logprobs, e.reference_logprobs, "k1")
        credit = estimate(Outcome(e.members, rewards, e.mask, e.old_values), stage.algorithm)
        e.advantages = credit.advantages
        if credit.returns is not None:
            e.returns = credit.returns
    if stage.algorithm.whitens:
        flat = torch.cat([e.advantages[e.mask] for e in experiences])
        white = whiten(flat, torch.ones_like(flat, dtype=torch.bool), all_reduce_sum)
        for e, part in zip(experiences, white.split([int(e.mask.sum()) for e in experiences]), strict=True):
            e.advantages[e.mask] = part


def _refuse(figures: Sequence[dict[str, Tensor]], what: str, names: Sequence[str]) -> None:
    row = first_bad_row(figures)
    if row is not None:
        raise NonFiniteError(what, names[row])
