"""Advantages: what a recipe's `algorithm` names, and what they are made of.

Token tensors are [rows, tokens]; masks are bool, true at response tokens that count. A mask may have holes: a masked
token inside a response carries value and advantage across the gap, as if it were not there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from earwitness.recipe.schema import Grpo, Ppo, ReinforcePlusPlus, Rloo

GRPO_EPSILON = 1e-6
"""Added to the standard deviation of a group's rewards."""

WHITEN_EPSILON = 1e-8
"""Added to the variance in whitening."""


@dataclass(frozen=True)
class Member:
    """A trajectory's place in its group."""

    rewards: Sequence[float]
    """Of the whole group."""
    index: int
    """Its own among them."""

    @property
    def reward(self) -> float:
        """Its own."""
        return self.rewards[self.index]


@dataclass(frozen=True)
class Outcome:
    """What advantages are estimated from, of some rows."""

    members: Sequence[Member]
    """[rows]"""
    rewards: torch.Tensor
    """Of each token: the trajectory's at its last one, less the KL term where that is part of the reward."""
    mask: torch.Tensor
    values: torch.Tensor
    """The critic's, if there is one."""


@dataclass(frozen=True)
class Credit:
    """An estimate."""

    advantages: torch.Tensor
    returns: torch.Tensor | None = None
    """What a critic learns."""


def ppo(x: Outcome, how: Ppo) -> Credit:
    """GAE over the critic's values (https://arxiv.org/abs/1506.02438).

    Advantages are of gae_lambda; returns, which are advantages + values, of value_lambda if there is one (decoupled GAE
    of VAPO, https://arxiv.org/abs/2504.05118).
    """
    advantages, returns = gae(x.rewards, x.values, x.mask, gamma=how.gamma, lam=how.gae_lambda)
    if how.value_lambda is not None:
        _, returns = gae(x.rewards, x.values, x.mask, gamma=how.gamma, lam=how.value_lambda)
    return Credit(advantages, returns)


def rloo(x: Outcome, how: Rloo) -> Credit:
    """R_i - mean of R_j, j ≠ i, of the group (https://arxiv.org/abs/2402.14740)."""
    return _of_rows(x, leave_one_out)


def grpo(x: Outcome, how: Grpo) -> Credit:
    """(R_i - mean R) / (deviation of R + 1e-6) of the group (https://arxiv.org/abs/2402.03300)."""
    return _of_rows(x, group_normalised)


def reinforce_plus_plus(x: Outcome, how: ReinforcePlusPlus) -> Credit:
    """Discounted sum of a token's reward, KL term included, and those after it (https://arxiv.org/abs/2501.03262)."""
    return Credit(rewards_to_go(x.rewards, x.mask, gamma=how.gamma))


ADVANTAGES: dict[str, Callable[[Outcome, Any], Credit]] = {
    "ppo": ppo,
    "rloo": rloo,
    "grpo": grpo,
    "reinforce++": reinforce_plus_plus,
}
"""By the `type` of a recipe's `algorithm`, which is the function's second argument. Those that `whitens` says are
whitened over the global batch afterwards."""


def terminal_rewards(rewards: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Puts each row's reward [rows] at its last response token; 0 elsewhere. [rows, tokens]."""
    placed = torch.zeros(mask.shape, dtype=rewards.dtype, device=mask.device)
    rows = mask.any(dim=1).nonzero().squeeze(1)
    last = mask.shape[1] - 1 - mask.flip(1).long().argmax(dim=1)
    placed[rows, last[rows]] = rewards[rows]
    return placed


def gae(
    rewards: torch.Tensor, values: torch.Tensor, mask: torch.Tensor, *, gamma: float, lam: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """GAE (https://arxiv.org/abs/1506.02438): advantages and returns = advantages + values.

    `values[:, t]` is the value of the state before token t. Both results are 0 outside the mask.
    """
    following = torch.zeros_like(values[:, 0])
    advantage = torch.zeros_like(following)
    columns = []
    for t in range(values.shape[1] - 1, -1, -1):
        inside = mask[:, t]
        delta = rewards[:, t] + gamma * following - values[:, t]
        advantage = torch.where(inside, delta + gamma * lam * advantage, advantage)
        following = torch.where(inside, values[:, t], following)
        columns.append(advantage)
    zero = torch.zeros_like(values)
    advantages = torch.where(mask, torch.stack(columns[::-1], dim=1), zero)
    return advantages, torch.where(mask, advantages + values, zero)


def rewards_to_go(rewards: torch.Tensor, mask: torch.Tensor, *, gamma: float) -> torch.Tensor:
    """Discounted sum of a token's reward and those after it under the mask; 0 outside (REINFORCE++,
    https://arxiv.org/abs/2501.03262, where they become advantages by whitening over the global batch)."""
    return gae(rewards, torch.zeros_like(rewards), mask, gamma=gamma, lam=1.0)[0]


def whiten(
    values: torch.Tensor,
    mask: torch.Tensor,
    reduce_sum: Callable[[torch.Tensor], torch.Tensor] = lambda total: total,
) -> torch.Tensor:
    """Zero mean and unit variance (unbiased) over the masked tokens of the global batch; 0 outside the mask.

    `reduce_sum` adds a tensor over the ranks that hold the other rows. In float64, in two passes: the variance of
    nearly equal advantages must not vanish in rounding.
    """
    exact = torch.where(mask, values, torch.zeros_like(values)).double()
    total, count = reduce_sum(torch.stack([exact.sum(), mask.sum().double()])).unbind()
    mean = total / count.clamp(min=1.0)
    deviation = torch.where(mask, exact - mean, torch.zeros_like(exact))
    squares = reduce_sum(deviation.square().sum().unsqueeze(0)).squeeze(0)
    variance = squares / (count - 1.0).clamp(min=1.0)
    return (deviation * torch.rsqrt(variance + WHITEN_EPSILON)).to(values.dtype)


def leave_one_out(rewards: Sequence[float]) -> list[float]:
    """Each reward minus the mean of the others of its group (https://arxiv.org/abs/2402.14740); 0 if it is alone."""
    others = len(rewards) - 1
    if others < 1:
        return [0.0] * len(rewards)
    total = sum(rewards)
    return [reward - (total - reward) / others for reward in rewards]


def group_normalised(rewards: Sequence[float]) -> list[float]:
    """Each reward minus the mean of its group, over the unbiased standard deviation + 1e-6 (GRPO); 0 if it is alone."""
    if len(rewards) < 2:
        return [0.0] * len(rewards)
    mean = sum(rewards) / len(rewards)
    deviation = (sum((reward - mean) ** 2 for reward in rewards) / (len(rewards) - 1)) ** 0.5
    return [(reward - mean) / (deviation + GRPO_EPSILON) for reward in rewards]


def _of_rows(x: Outcome, baselined: Callable[[Sequence[float]], list[float]]) -> Credit:
    """The same advantage for all tokens of a row: its reward as `baselined` within its group."""
    rows = torch.tensor([baselined(m.rewards)[m.index] for m in x.members], dtype=torch.float32, device=x.mask.device)
    return Credit(torch.where(x.mask, rows[:, None], torch.zeros(x.mask.shape, device=x.mask.device)))
