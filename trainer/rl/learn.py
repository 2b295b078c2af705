"""What a step learns: the losses of policy and critic in an update, and the updates."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from earwitness.recipe.schema import CriticAlgorithm, Reinforcement
from trainer.errors import IdentityError
from trainer.learner import Learner, Loss
from trainer.means import sequence_mean, token_mean
from trainer.model.logprobs import States, logprobs_and_entropy, response_values
from trainer.ranks.figures import BAD_ROW, bad_row, maxima, sums
from trainer.rl.experience import Experience, Update
from trainer.rl.kl import kl_loss_tokens, kl_tokens
from trainer.rl.losses import POLICY_LOSSES, Moved, importance_weights, value_tokens
from trainer.rl.recall import old_figures, recalled

RATIO_BOUNDS = {torch.float32: 1e-6, torch.bfloat16: 1e-2}
"""Largest |ratio - 1| of a step's first update: the same weights have seen the same micro-batches twice. In bfloat16
kernels may differ with and without gradients; one unit in the last place of a logit of 2 is 2^-7."""


def learn(
    policy: Learner,
    critic: Learner | None,
    updates: Sequence[Update],
    stage: Reinforcement,
    step: int,
    names: Sequence[str],
    found: Sequence[dict[str, Tensor]],
) -> dict[str, float]:
    """The step's optimizer updates and their figures, means over tokens. In the critic's warm-up the policy stays.

    `found`: what `recall` returned.
    """
    tokens = sum(update.tokens for update in updates)
    how = stage.algorithm
    warming_up = isinstance(how, CriticAlgorithm) and step <= how.critic_warmup_steps
    metrics: dict[str, float] = {"tokens": tokens}
    of_old = list(found)
    if not warming_up:
        figures: list[dict[str, Tensor]] = []
        norms = []
        for update in updates:
            made, norm = policy.update(update.micro_batches, policy_loss(stage, update), names)
            of_old += [old for old in made if "entropy" in old]
            if update is updates[0]:
                metrics |= first_identities(made, update.tokens, policy.model.config.params_dtype)
            figures += made
            norms.append(norm)
        added = sums(figures, ["loss", "kl", "ratio", "clipped"])
        metrics |= {
            "loss.policy": added["loss"] / len(updates),
            "kl": added["kl"] / tokens,
            "ratio.mean": added["ratio"] / tokens,
            "ratio.max": maxima(figures, ["ratio.max"])["ratio.max"],
            "clip_share": added["clipped"] / tokens,
            "grad_norm": max(norms),
        }
    metrics |= recalled(of_old, tokens)
    if critic is not None and isinstance(how, CriticAlgorithm):
        figures, norms = [], []
        for update in updates:
            made, norm = critic.update(update.micro_batches, value_loss(how, update), names)
            figures += made
            norms.append(norm)
        metrics |= {"loss.value": sums(figures, ["loss"])["loss"] / len(updates), "grad_norm.critic": max(norms)}
    return metrics


def policy_loss(stage: Reinforcement, update: Update) -> Loss:
    """The policy's loss in an update. Its figures are sums over tokens, but for the loss."""

    def loss(states: States, e: Experience) -> tuple[Tensor, dict[str, Tensor]]:
        wants_entropy = stage.entropy_coef > 0
        is_old = e.old_logprobs is None
        logprobs, entropies = logprobs_and_entropy(
            states, e.batch, stage.sampling.temperature, entropy=wants_entropy or is_old
        )
        old_logprobs = logprobs.detach() if e.old_logprobs is None else e.old_logprobs
        moved = POLICY_LOSSES[stage.loss.type](Moved(logprobs, old_logprobs, e.advantages, e.mask), stage.loss)
        ratio = moved.ratio
        losses = moved.losses * importance_weights(old_logprobs, e.rollout_logprobs, cap=stage.importance_cap)
        if e.reference_logprobs is None:
            kl = kl_tokens(logprobs, old_logprobs, "k3")
        elif stage.algorithm.kl_in_reward:
            kl = kl_tokens(logprobs, e.reference_logprobs, stage.kl_estimator)
        else:
            kl = kl_loss_tokens(logprobs, e.reference_logprobs, stage.kl_estimator)
            losses = losses + stage.kl_coef * kl
        if wants_entropy:
            losses = losses - stage.entropy_coef * entropies
        if stage.loss.mean == "token":
            total = token_mean(losses, e.mask, update.tokens)
        else:
            total = sequence_mean(losses, e.mask, update.sequences)
        with torch.no_grad():
            nothing = torch.zeros_like(losses)
            figures = {
                "loss": total.detach(),
                "kl": torch.where(e.mask, kl, nothing).sum(),
                "kl.old": torch.where(e.mask, kl_tokens(logprobs, old_logprobs, "k3"), nothing).sum(),
                "ratio": torch.where(e.mask, ratio, nothing).sum(),
                "ratio.max": torch.where(e.mask, ratio, nothing).max(),
                "ratio.gap": torch.where(e.mask, (ratio - 1.0).abs(), nothing).max(),
                "clipped": (moved.clipped & e.mask).sum(),
                BAD_ROW: bad_row(losses, e.mask, e.batch.numbers),
            }
            if is_old:
                figures |= old_figures(e, old_logprobs, entropies)
        return total, figures

    return loss


def value_loss(how: CriticAlgorithm, update: Update) -> Loss:
    """The critic's loss in an update: the mean over its tokens."""

    def loss(output: Tensor, e: Experience) -> tuple[Tensor, dict[str, Tensor]]:
        values = response_values(output, e.batch)
        losses = value_tokens(values, e.old_values, e.returns, value_clip=how.value_clip)
        total = token_mean(losses, e.mask, update.tokens)
        return total, {"loss": total.detach(), BAD_ROW: bad_row(losses, e.mask, e.batch.numbers)}

    return loss


def first_identities(figures: Sequence[dict[str, Tensor]], tokens: int, dtype: torch.dtype) -> dict[str, float]:
    """In a step's first update the policy is that of the old log-probs: ratio 1, KL 0. Raises IdentityError if not."""
    gap = maxima(figures, ["ratio.gap"])["ratio.gap"]
    if gap > RATIO_BOUNDS[dtype]:
        raise IdentityError(f"the first update's ratio is off 1 by {gap:.3g}; expected at most {RATIO_BOUNDS[dtype]}")
    return {"first.ratio_gap": gap, "first.kl": sums(figures, ["kl.old"])["kl.old"] / tokens}
