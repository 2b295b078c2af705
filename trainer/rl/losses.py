"""Losses of reinforcement learning, token by token: what a recipe's `loss` names, and the critic's.

Every tensor is [rows, tokens]; r = p / p_old is a token's probability ratio, A its advantage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from earwitness.recipe.schema.algorithms import CispoLoss, ClipLoss, GspoLoss
from trainer.means import masked_sum
from trainer.rl.kl import EXPONENT_LIMIT


@dataclass(frozen=True)
class Moved:
    """What a policy loss is computed from."""

    logprobs: Tensor
    """Of the policy that learns; the gradient goes through them."""
    old_logprobs: Tensor
    """Of the policy as the step began."""
    advantages: Tensor
    mask: Tensor
    """bool"""


@dataclass(frozen=True)
class Surrogate:
    """A policy loss."""

    losses: Tensor
    ratio: Tensor
    """Of the policy that learns to the old one: what is clipped; 1 before the first update."""
    clipped: Tensor
    """Where the clip stops or bounds the gradient. bool"""


def clip(x: Moved, how: ClipLoss) -> Surrogate:
    """PPO's clipped surrogate (https://arxiv.org/abs/1707.06347) with dual clip (https://arxiv.org/abs/1912.09729).

    max(-r A, -clip(r, 1 - low, 1 + high) A), and where A < 0 at most -dual_clip · A.
    """
    ratio = probability_ratio(x.logprobs, x.old_logprobs)
    surrogate = clipped_surrogate(ratio, x.advantages, how.clip_low, how.clip_high)
    bounded = torch.minimum(surrogate, -how.dual_clip * x.advantages)
    losses = torch.where(x.advantages < 0, bounded, surrogate)
    return Surrogate(losses, ratio, held_back(ratio, x.advantages, how.clip_low, how.clip_high))


def gspo(x: Moved, how: GspoLoss) -> Surrogate:
    """GSPO, with the gradient of its GSPO-token (https://arxiv.org/abs/2507.18071).

    max(-s A, -clip(s, 1 - low, 1 + high) A), where s = exp(mean of log p - log p_old over the response's tokens). Each
    token's gradient is that of -s A log p: GSPO's own where all tokens of a response have the same advantage.
    """
    tokens = x.mask.sum(1, keepdim=True).clamp(min=1)
    log_s = masked_sum((x.logprobs - x.old_logprobs).detach(), x.mask)[:, None] / tokens
    ratio = probability_ratio(x.logprobs - x.logprobs.detach(), -log_s)  # s, to the last bit
    losses = clipped_surrogate(ratio, x.advantages, how.clip_low, how.clip_high)
    return Surrogate(losses, ratio, held_back(ratio, x.advantages, how.clip_low, how.clip_high))


def cispo(x: Moved, how: CispoLoss) -> Surrogate:
    """CISPO (https://arxiv.org/abs/2506.13585): -min(r, 1 + high) A log p, the weight without gradient.

    No token's gradient is lost, and none is more than 1 + high times its own.
    """
    ratio = probability_ratio(x.logprobs.detach(), x.old_logprobs)
    losses = -ratio.clamp(max=1.0 + how.clip_high) * x.advantages * x.logprobs
    return Surrogate(losses, ratio, ratio > 1.0 + how.clip_high)


POLICY_LOSSES: dict[str, Callable[[Moved, Any], Surrogate]] = {"clip": clip, "gspo": gspo, "cispo": cispo}
"""By the `type` of a recipe's `loss`, which is the function's second argument."""


def clipped_surrogate(ratio: Tensor, advantages: Tensor, low: float, high: float) -> Tensor:
    """max(-r A, -clip(r, 1 - low, 1 + high) A)."""
    return torch.maximum(-ratio * advantages, -ratio.clamp(1.0 - low, 1.0 + high) * advantages)


def held_back(ratio: Tensor, advantages: Tensor, low: float, high: float) -> Tensor:
    """True where the clip stops the gradient: the ratio has left the range on the side the advantage pushes to."""
    return ((advantages > 0) & (ratio > 1.0 + high)) | ((advantages < 0) & (ratio < 1.0 - low))


def value_tokens(values: Tensor, old_values: Tensor, returns: Tensor, *, value_clip: float) -> Tensor:
    """0.5 · max((V - R)², (clip(V, V_old ± value_clip) - R)²)."""
    clipped = old_values + (values - old_values).clamp(-value_clip, value_clip)
    return 0.5 * torch.maximum((values - returns).square(), (clipped - returns).square())


def importance_weights(old_logprobs: Tensor, rollout_logprobs: Tensor, *, cap: float) -> Tensor:
    """Truncated importance weights min(p_trainer / p_rollout, cap), without gradient.

    They correct for tokens that were sampled by weights or kernels other than the trainer's.
    """
    with torch.no_grad():
        return torch.exp((old_logprobs - rollout_logprobs).clamp(max=EXPONENT_LIMIT)).clamp(max=cap)


def probability_ratio(logprobs: Tensor, old_logprobs: Tensor) -> Tensor:
    """p_now / p_old."""
    return torch.exp((logprobs - old_logprobs).clamp(-EXPONENT_LIMIT, EXPONENT_LIMIT))
