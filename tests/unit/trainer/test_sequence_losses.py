"""`gspo` and `cispo` against numpy, and what must hold of both: first-step identities, gradients, bounds."""

import numpy as np
import pytest
import torch

from earwitness.recipe.schema.algorithms import CispoLoss, ClipLoss, GspoLoss
from trainer.means import sequence_mean, token_mean
from trainer.rl.losses import POLICY_LOSSES, Moved, clip

MASK = np.array([[1, 1, 0, 1, 1], [1, 1, 1, 0, 0], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0]], dtype=bool)
"""A response with a hole, a shorter one, an empty one and one of a single token."""
LOSSES = [GspoLoss(clip_low=0.05, clip_high=0.06), CispoLoss(clip_high=0.3)]


def case(seed: int, spread: float = 0.4) -> dict[str, np.ndarray]:
    """Log-probs before and now, and advantages that are one number a response."""
    random = np.random.default_rng(seed)
    old = np.where(MASK, random.uniform(-4, -0.1, MASK.shape), 0.0)
    now = old + np.where(MASK, random.uniform(-spread, spread, MASK.shape), 0.0)
    return {"now": now, "old": old, "advantages": np.where(MASK, random.standard_normal((4, 1)), 0.0)}


def moved(given: dict[str, np.ndarray]) -> Moved:
    logprobs = torch.tensor(given["now"], requires_grad=True)
    return Moved(logprobs, torch.tensor(given["old"]), torch.tensor(given["advantages"]), torch.tensor(MASK))


def total(how, x: Moved) -> torch.Tensor:
    losses = POLICY_LOSSES[how.type](x, how).losses
    return token_mean(losses, x.mask, int(MASK.sum())) if how.mean == "token" else sequence_mean(losses, x.mask, 3)


def gspo_objective(given: dict[str, np.ndarray], how: GspoLoss) -> float:
    """The paper's objective, response by response, as a loss."""
    found = []
    for now, old, advantages, mask in zip(given["now"], given["old"], given["advantages"], MASK, strict=True):
        if mask.any():
            ratio = np.prod(np.exp(now[mask]) / np.exp(old[mask])) ** (1 / mask.sum())
            cut = np.clip(ratio, 1 - how.clip_low, 1 + how.clip_high)
            found.append(-min(ratio * advantages[mask][0], cut * advantages[mask][0]))
    return float(np.mean(found))


def cispo_objective(given: dict[str, np.ndarray], weighed: dict[str, np.ndarray], how: CispoLoss) -> float:
    """The paper's objective, token by token, as a loss with weights of `weighed`: they do not move with the policy."""
    weights = np.minimum(np.exp(weighed["now"]) / np.exp(weighed["old"]), 1 + how.clip_high)
    return float(-(weights * given["advantages"] * given["now"])[MASK].mean())


def expected(given: dict[str, np.ndarray], how, weighed: dict[str, np.ndarray] | None = None) -> float:
    return gspo_objective(given, how) if isinstance(how, GspoLoss) else cispo_objective(given, weighed or given, how)


@pytest.mark.parametrize("how", LOSSES, ids=lambda how: how.type)
def test_values_and_gradients_are_those_of_the_papers_objective(how) -> None:
    for seed in range(5):
        given = case(seed)
        x = moved(given)
        loss = total(how, x)
        assert loss.item() == pytest.approx(expected(given, how), rel=1e-10)
        loss.backward()
        for row, column in zip(*MASK.nonzero(), strict=True):
            ends = []
            for by in (1e-6, -1e-6):
                other = {name: values.copy() for name, values in given.items()}
                other["now"][row, column] += by
                ends.append(expected(other, how, given))
            slope = (ends[0] - ends[1]) / 2e-6
            assert x.logprobs.grad[row, column].item() == pytest.approx(slope, rel=1e-5, abs=1e-8)
        assert not x.logprobs.grad[torch.tensor(~MASK)].any()


@pytest.mark.parametrize("how", LOSSES, ids=lambda how: how.type)
def test_before_the_first_update_the_ratio_is_one_and_the_gradient_that_of_the_policy(how) -> None:
    given = case(1)
    x = moved(given | {"old": given["now"]})
    found = POLICY_LOSSES[how.type](x, how)
    assert found.ratio[x.mask].tolist() == [1.0] * int(MASK.sum())
    assert not found.clipped.any()
    found.losses.sum().backward()
    np.testing.assert_allclose(x.logprobs.grad.numpy(), -given["advantages"], atol=1e-15)


def test_a_response_of_one_token_has_the_ratio_of_the_token() -> None:
    x = moved(case(2))
    ours = POLICY_LOSSES["gspo"](x, GspoLoss(clip_low=0.1, clip_high=0.2))
    theirs = clip(x, ClipLoss(clip_low=0.1, clip_high=0.2, dual_clip=1e6))
    assert ours.losses[3, 0].item() == pytest.approx(theirs.losses[3, 0].item(), rel=1e-12)


def test_what_is_clipped_is_told() -> None:
    given = case(3)
    ratio = np.array([np.exp((given["now"] - given["old"])[row][MASK[row]].mean()) for row in (0, 1, 3)])
    held = (given["advantages"][[0, 1, 3], 0] > 0) == (ratio > 1)
    found = POLICY_LOSSES["gspo"](moved(given), GspoLoss(clip_low=0.0, clip_high=0.0)).clipped
    assert found[[0, 1, 3], 0].tolist() == held.tolist()
    capped = POLICY_LOSSES["cispo"](moved(given), CispoLoss(clip_high=0.1)).clipped
    assert capped.tolist() == (np.exp(given["now"] - given["old"]) > 1.1).tolist()


def test_a_weight_that_is_cut_still_carries_its_tokens_gradient() -> None:
    """What CISPO is for: with `clip` such a token would learn nothing."""
    given = case(4)
    given["now"] = np.where(MASK, given["old"] + 2.0, 0.0)
    given["advantages"] = np.where(MASK, 1.0, 0.0)
    x = moved(given)
    POLICY_LOSSES["cispo"](x, CispoLoss(clip_high=0.5)).losses.sum().backward()
    np.testing.assert_allclose(x.logprobs.grad.numpy()[MASK], -1.5)
    y = moved(given)
    clip(y, ClipLoss()).losses.sum().backward()
    assert not y.logprobs.grad.any()
