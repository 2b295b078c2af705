import numpy as np
import pytest
import torch

from earwitness.recipe.schema import ClipLoss
from trainer.means import masked_sum, sequence_mean, token_mean
from trainer.rl.losses import Moved, clip, importance_weights, probability_ratio, value_tokens
from trainer.tuning.preference import preference_rows
from trainer.tuning.supervised import supervised_tokens


def policy_tokens(ratio: torch.Tensor, advantages: torch.Tensor, **how: float) -> torch.Tensor:
    """The clipped loss of tokens whose old log-prob is 0."""
    return clip(moved(ratio, advantages), ClipLoss(**how)).losses


def moved(ratio: torch.Tensor, advantages: torch.Tensor) -> Moved:
    return Moved(ratio.log(), torch.zeros_like(ratio), advantages, torch.ones_like(ratio, dtype=torch.bool))


def row(*values: float) -> torch.Tensor:
    return torch.tensor([values], dtype=torch.float64)


def test_dual_clip_matches_the_published_values():
    losses = policy_tokens(row(2.0, 2.0, 0.5), row(2.0, -2.0, 2.0), clip_low=0.2, clip_high=0.2, dual_clip=1.5)
    np.testing.assert_allclose(losses.numpy(), [[-2.4, 3.0, -1.0]], atol=1e-12)


def test_dual_clip_bounds_only_negative_advantages():
    losses = policy_tokens(row(10.0, 10.0, 0.1), row(-1.0, 1.0, -1.0), clip_low=0.2, clip_high=0.2, dual_clip=3.0)
    np.testing.assert_allclose(losses.numpy(), [[3.0, -1.2, 0.8]], atol=1e-12)


def test_clip_high_may_differ_from_clip_low():
    losses = policy_tokens(row(1.5, 0.5), row(1.0, -1.0), clip_low=0.2, clip_high=0.28, dual_clip=3.0)
    np.testing.assert_allclose(losses.numpy(), [[-1.28, 0.8]], atol=1e-12)


def test_no_gradient_flows_where_the_clip_holds():
    ratio = torch.tensor([[1.5, 1.5, 0.5, 0.5]], dtype=torch.float64, requires_grad=True)
    advantages = row(1.0, -1.0, 1.0, -1.0)
    policy_tokens(ratio, advantages, clip_low=0.2, clip_high=0.2, dual_clip=3.0).sum().backward()
    np.testing.assert_allclose(ratio.grad.numpy(), [[0.0, 1.0, -1.0, 0.0]])
    held = clip(moved(ratio.detach(), advantages), ClipLoss()).clipped
    assert held.tolist() == [[True, False, False, True]]


def test_at_ratio_one_the_gradient_is_the_policy_gradient():
    logprobs = torch.tensor([[-1.0, -2.0]], dtype=torch.float64, requires_grad=True)
    advantages = row(0.7, -1.3)
    ratio = probability_ratio(logprobs, logprobs.detach())
    assert ratio.tolist() == [[1.0, 1.0]]
    policy_tokens(ratio, advantages, clip_low=0.2, clip_high=0.2, dual_clip=3.0).sum().backward()
    np.testing.assert_allclose(logprobs.grad.numpy(), -advantages.numpy())


def test_value_loss_takes_the_larger_of_clipped_and_unclipped():
    losses = value_tokens(row(1.0, 0.1, 2.0), row(0.0, 0.0, 2.0), row(1.0, 1.0, 1.0), value_clip=0.2)
    np.testing.assert_allclose(losses.numpy(), [[0.5 * 0.8**2, 0.5 * 0.9**2, 0.5]], atol=1e-12)


def test_token_mean_uses_the_global_count_so_cuts_do_not_matter():
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(6, 5, generator=generator, dtype=torch.float64)
    mask = torch.rand(6, 5, generator=generator) > 0.4
    tokens = int(mask.sum())
    whole = token_mean(values, mask, tokens)
    cut = sum(token_mean(values[i : i + 1], mask[i : i + 1], tokens) for i in range(6))
    np.testing.assert_allclose(float(whole), values.numpy()[mask.numpy()].mean(), rtol=1e-12)
    np.testing.assert_allclose(float(whole), float(cut), rtol=1e-12)


def test_token_mean_ignores_nan_outside_the_mask_in_value_and_gradient():
    values = torch.tensor([[1.0, float("nan")]], requires_grad=True)
    loss = token_mean(supervised_tokens(values), torch.tensor([[True, False]]), 1)
    loss.backward()
    assert loss.item() == -1.0
    assert values.grad.tolist() == [[-1.0, 0.0]]


def test_token_mean_refuses_a_count_of_zero():
    with pytest.raises(ValueError, match="at least 1"):
        token_mean(row(1.0), torch.tensor([[False]]), 0)


def test_importance_weights_are_one_on_policy_and_capped_off_policy():
    old = row(-1.0, -1.0, -1.0, -1.0)
    rollout = row(-1.0, -3.0, -0.5, -1000.0)
    weights = importance_weights(old, rollout, cap=2.0)
    np.testing.assert_allclose(weights.numpy(), [[1.0, 2.0, np.exp(-0.5), 2.0]], atol=1e-12)
    assert not weights.requires_grad


def test_sequence_mean_weighs_answers_alike_and_leaves_empty_ones_out():
    values = torch.tensor([[1.0, 3.0, 50.0], [7.0, 7.0, 7.0], [5.0, 9.0, 9.0]], dtype=torch.float64)
    mask = torch.tensor([[True, True, False], [False, False, False], [True, False, True]])
    np.testing.assert_allclose(float(sequence_mean(values, mask, 2)), (2.0 + 7.0) / 2)
    cut = sum(sequence_mean(values[i : i + 1], mask[i : i + 1], 2) for i in range(3))
    np.testing.assert_allclose(float(cut), 4.5)
    with pytest.raises(ValueError, match="at least 1"):
        sequence_mean(values, mask, 0)


def test_masked_sum_skips_holes_and_what_stands_in_them():
    values = torch.tensor([[1.0, float("nan"), 2.0]])
    assert masked_sum(values, torch.tensor([[True, False, True]])).tolist() == [3.0]


def test_preference_is_log_two_without_a_preference_and_its_slope_half_of_beta():
    chosen = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    losses, margins = preference_rows(chosen, torch.zeros(1, dtype=torch.float64), 0.4)
    losses.sum().backward()
    assert losses.item() == pytest.approx(np.log(2.0)) and margins.item() == 0.0
    assert chosen.grad.item() == pytest.approx(-0.2)
