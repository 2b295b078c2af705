"""Losses, token by token. Every tensor is [rows, tokens]; masks are bool, true at the response tokens that count.

A batch's loss is the `token_mean` or the `sequence_mean` of its tokens' with the *global* count: over all ranks and
micro-batches of the update. So the gradient does not depend on how the update was cut up.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

EXPONENT_LIMIT = 20.0
"""Log-ratios above it are cut before exp, which stays finite in fp32; every cap and clip lies far below exp(20)."""


def token_mean(values: torch.Tensor, mask: torch.Tensor, tokens: int) -> torch.Tensor:
    """Sum of the values under the mask, divided by the global token count. Scalar.

    Masked-out values may be anything, NaN included: they are replaced, not multiplied by 0.
    """
    if tokens < 1:
        raise ValueError(f"tokens: {tokens}; expected the update's global count, at least 1")
    return torch.where(mask, values, torch.zeros_like(values)).sum() / tokens


def sequence_mean(values: torch.Tensor, mask: torch.Tensor, sequences: int) -> torch.Tensor:
    """Sum over rows of the mean under the row's mask, divided by the global count of rows with a token. Scalar."""
    if sequences < 1:
        raise ValueError(f"sequences: {sequences}; expected the update's global count, at least 1")
    return (masked_sum(values, mask) / mask.sum(1).clamp(min=1)).sum() / sequences


def masked_sum(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Sum of each row under its mask. [rows]"""
    return torch.where(mask, values, torch.zeros_like(values)).sum(1)


def preference_rows(chosen: torch.Tensor, rejected: torch.Tensor, beta: float) -> tuple[torch.Tensor, torch.Tensor]:
    """DPO's sigmoid loss -log sigmoid(beta (chosen - rejected)) (https://arxiv.org/abs/2305.18290), and the margins.

    `chosen`, `rejected`: log p_policy - log p_reference of the whole answers, or their means per token. All [pairs].
    """
    margins = beta * (chosen - rejected)
    return -F.logsigmoid(margins), margins.detach()


def supervised_tokens(logprobs: torch.Tensor) -> torch.Tensor:
    """-log p of the target tokens, nats."""
    return -logprobs


def policy_tokens(
    ratio: torch.Tensor, advantages: torch.Tensor, *, clip_low: float, clip_high: float, dual_clip: float
) -> torch.Tensor:
    """PPO's clipped surrogate (https://arxiv.org/abs/1707.06347) with dual clip (https://arxiv.org/abs/1912.09729).

    max(-r A, -clip(r, 1 - low, 1 + high) A), and where A < 0 at most -dual_clip · A.
    """
    unclipped = -ratio * advantages
    clipped = -ratio.clamp(1.0 - clip_low, 1.0 + clip_high) * advantages
    surrogate = torch.maximum(unclipped, clipped)
    return torch.where(advantages < 0, torch.minimum(surrogate, -dual_clip * advantages), surrogate)


def clipped_tokens(ratio: torch.Tensor, advantages: torch.Tensor, *, clip_low: float, clip_high: float) -> torch.Tensor:
    """True where the clip stops the gradient: the ratio has left the range on the side the advantage pushes to."""
    return ((advantages > 0) & (ratio > 1.0 + clip_high)) | ((advantages < 0) & (ratio < 1.0 - clip_low))


def value_tokens(
    values: torch.Tensor, old_values: torch.Tensor, returns: torch.Tensor, *, value_clip: float
) -> torch.Tensor:
    """0.5 · max((V - R)², (clip(V, V_old ± value_clip) - R)²)."""
    clipped = old_values + (values - old_values).clamp(-value_clip, value_clip)
    return 0.5 * torch.maximum((values - returns).square(), (clipped - returns).square())


def importance_weights(old_logprobs: torch.Tensor, rollout_logprobs: torch.Tensor, *, cap: float) -> torch.Tensor:
    """Truncated importance weights min(p_trainer / p_rollout, cap), without gradient.

    They correct for tokens that were sampled by weights or kernels other than the trainer's.
    """
    with torch.no_grad():
        return torch.exp((old_logprobs - rollout_logprobs).clamp(max=EXPONENT_LIMIT)).clamp(max=cap)


def probability_ratio(logprobs: torch.Tensor, old_logprobs: torch.Tensor) -> torch.Tensor:
    """p_now / p_old."""
    return torch.exp((logprobs - old_logprobs).clamp(-EXPONENT_LIMIT, EXPONENT_LIMIT))
