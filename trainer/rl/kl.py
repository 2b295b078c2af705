"""Estimators of KL(policy || reference) from single samples (http://joschu.net/blog/kl-approx.html).

With d = log p_policy(t) - log p_reference(t) of a token t sampled from the policy:

    k1 = d                  unbiased, may be negative
    k2 = d² / 2             biased, low variance
    k3 = exp(-d) - 1 + d    unbiased, never negative

Every estimate is clamped to ±CLAMP: one token that the reference calls nearly impossible must not outweigh
the batch (k3 at d = -7.9 is 2,690).
"""

from __future__ import annotations

from typing import Literal

import torch

Estimator = Literal["k1", "k2", "k3"]

CLAMP = 10.0
"""Largest |estimate| of one token, nats; also the largest |d| that moves the policy."""

EXPONENT_LIMIT = 20.0
"""Log-ratios above it are cut before exp, which stays finite in fp32: exp(20) is far beyond CLAMP, and beyond every cap
and clip of a ratio, so that no estimate changes."""


def kl_tokens(logprobs: torch.Tensor, reference: torch.Tensor, estimator: Estimator) -> torch.Tensor:
    """Estimate per token, nats. All shapes [rows, tokens]."""
    d = logprobs - reference
    if estimator == "k1":
        kl = d
    elif estimator == "k2":
        kl = 0.5 * d.square()
    else:
        kl = torch.exp((-d).clamp(max=EXPONENT_LIMIT)) - 1.0 + d
    return kl.clamp(-CLAMP, CLAMP)


def kl_loss_tokens(logprobs: torch.Tensor, reference: torch.Tensor, estimator: Estimator) -> torch.Tensor:
    """The estimate as its value, the gradient of KL(policy || reference) as its gradient. Shapes [rows, tokens].

    As a loss, k1 has gradient 0 in expectation and k3 that of the opposite KL; d · ∇ log p (the gradient of k2) is
    right for on-policy samples. So whichever estimator is reported, this gradient is followed.
    """
    with torch.no_grad():
        value = kl_tokens(logprobs, reference, estimator)
        slope = (logprobs - reference).clamp(-CLAMP, CLAMP)
    return value + slope * (logprobs - logprobs.detach())
