import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from earwitness.recipe.schema import Ppo
from trainer.rl.advantages import (
    ADVANTAGES,
    Outcome,
    gae,
    group_normalised,
    leave_one_out,
    rewards_to_go,
    terminal_rewards,
    whiten,
)


def gae_of_row(rewards, values, mask, gamma, lam):
    """GAE of the masked tokens alone, in plain Python, then spread back over the row."""
    inside = [t for t, m in enumerate(mask) if m]
    advantages = np.zeros(len(mask))
    running = 0.0
    for position in range(len(inside) - 1, -1, -1):
        t = inside[position]
        following = values[inside[position + 1]] if position + 1 < len(inside) else 0.0
        running = rewards[t] + gamma * following - values[t] + gamma * lam * running
        advantages[t] = running
    return advantages


def one(values, dtype=torch.float64):
    return torch.tensor([values], dtype=dtype)


def test_lambda_zero_gives_the_published_values():
    mask = one([True, True, True], torch.bool)
    rewards = terminal_rewards(torch.tensor([5.0], dtype=torch.float64), mask)
    assert rewards.tolist() == [[0.0, 0.0, 5.0]]
    advantages, returns = gae(rewards, one([1.0, 2.0, 3.0]), mask, gamma=1.0, lam=0.0)
    np.testing.assert_allclose(advantages.numpy(), [[1.0, 1.0, 2.0]])
    np.testing.assert_allclose(returns.numpy(), [[2.0, 3.0, 5.0]])


def test_gamma_and_lambda_one_give_return_minus_value():
    mask = one([False, True, True, True, False], torch.bool)
    rewards = terminal_rewards(torch.tensor([0.8], dtype=torch.float64), mask)
    advantages, returns = gae(rewards, one([9.0, 0.1, 0.5, 0.7, 9.0]), mask, gamma=1.0, lam=1.0)
    np.testing.assert_allclose(advantages.numpy(), [[0.0, 0.7, 0.3, 0.1, 0.0]], atol=1e-12)
    np.testing.assert_allclose(returns.numpy(), [[0.0, 0.8, 0.8, 0.8, 0.0]], atol=1e-12)


def test_a_hole_in_the_mask_carries_value_and_advantage_across():
    with_hole = gae(
        one([0.0, 123.0, 0.0, 1.0]),
        one([0.2, 456.0, 0.4, 0.6]),
        one([True, False, True, True], torch.bool),
        gamma=1.0,
        lam=0.95,
    )[0]
    without = gae(one([0.0, 0.0, 1.0]), one([0.2, 0.4, 0.6]), one([True, True, True], torch.bool), gamma=1.0, lam=0.95)[
        0
    ]
    np.testing.assert_allclose(with_hole.numpy()[0, [0, 2, 3]], without.numpy()[0], rtol=1e-12)
    assert with_hole[0, 1] == 0.0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-2, 2), st.floats(-2, 2), st.booleans()),
        min_size=1,
        max_size=12,
    ),
    st.floats(0.5, 1.0),
    st.floats(0.0, 1.0),
)
def test_gae_equals_the_plain_recursion(tokens, gamma, lam):
    rewards, values, mask = (list(column) for column in zip(*tokens, strict=True))
    advantages, returns = gae(one(rewards), one(values), one(mask, torch.bool), gamma=gamma, lam=lam)
    expected = gae_of_row(rewards, values, mask, gamma, lam)
    np.testing.assert_allclose(advantages.numpy()[0], expected, atol=1e-12)
    np.testing.assert_allclose(returns.numpy()[0], np.where(mask, expected + np.array(values), 0.0), atol=1e-12)


def test_terminal_reward_of_an_empty_row_goes_nowhere():
    mask = torch.tensor([[False, False], [True, False]])
    assert terminal_rewards(torch.tensor([5.0, 7.0]), mask).tolist() == [[0.0, 0.0], [7.0, 0.0]]


def test_whitening_is_unbiased_over_the_masked_tokens():
    values = torch.tensor([[1.0, 2.0, 99.0], [4.0, 99.0, 99.0]], dtype=torch.float64)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    expected = (np.array([1.0, 2.0, 4.0]) - 7 / 3) / np.sqrt(np.var([1.0, 2.0, 4.0], ddof=1) + 1e-8)
    whitened = whiten(values, mask)
    np.testing.assert_allclose(whitened[mask].numpy(), expected, rtol=1e-12)
    assert whitened[~mask].eq(0).all()


def test_whitening_over_ranks_equals_whitening_of_the_whole():
    values = torch.randn(4, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    mask = torch.rand(4, 6, generator=torch.Generator().manual_seed(4)) > 0.3
    whole = whiten(values, mask)
    halves = [(values[:2], mask[:2]), (values[2:], mask[2:])]

    def total(part):
        return torch.where(part[1], part[0], torch.zeros_like(part[0])).sum(), part[1].sum().double()

    sums = torch.stack([torch.stack(total(part)) for part in halves]).sum(0)
    mean = sums[0] / sums[1]
    squares = sum(torch.where(m, (v - mean) ** 2, torch.zeros_like(v)).sum() for v, m in halves)
    for index, (v, m) in enumerate(halves):
        answers = iter([sums, squares.unsqueeze(0)])
        part = whiten(v, m, reduce_sum=lambda _, answers=answers: next(answers))
        np.testing.assert_allclose(part.numpy(), whole[2 * index : 2 * index + 2].numpy(), rtol=1e-12)


def test_whitening_of_equal_advantages_is_zero_and_of_nothing_is_finite():
    mask = torch.tensor([[True, True]])
    assert whiten(torch.tensor([[0.3, 0.3]]), mask).abs().max() < 1e-3
    assert whiten(torch.tensor([[0.3, 0.3]]), ~mask).tolist() == [[0.0, 0.0]]


def test_leave_one_out_and_group_normalised_match_the_published_values():
    np.testing.assert_allclose(leave_one_out([1.0, 0.0, 0.5, 0.5]), [2 / 3, -2 / 3, 0.0, 0.0], atol=1e-12)
    normalised = group_normalised([1.0, 0.0, 0.8, 0.2])
    np.testing.assert_allclose(normalised[0], 1.0502, atol=5e-5)
    np.testing.assert_allclose(sum(normalised), 0.0, atol=1e-12)


def test_leave_one_out_is_the_scaled_deviation_from_the_mean():
    rewards = [0.2, 1.0, 0.0, 0.8, 1.0]
    scale = len(rewards) / (len(rewards) - 1)
    np.testing.assert_allclose(leave_one_out(rewards), scale * (np.array(rewards) - np.mean(rewards)), atol=1e-12)


def test_a_trajectory_alone_in_its_group_has_no_advantage():
    assert leave_one_out([1.0]) == [0.0]
    assert group_normalised([1.0]) == [0.0]
    assert leave_one_out([]) == []
    assert group_normalised([0.5, 0.5]) == [0.0, 0.0]


def test_rewards_to_go_add_what_is_still_to_come_and_skip_holes():
    rewards = one([1.0, 99.0, -0.5, 2.0, 99.0])
    mask = one([True, False, True, True, False], torch.bool)
    np.testing.assert_allclose(rewards_to_go(rewards, mask, gamma=1.0).numpy(), [[2.5, 0.0, 1.5, 2.0, 0.0]])
    np.testing.assert_allclose(rewards_to_go(rewards, mask, gamma=0.5).numpy(), [[1.25, 0.0, 0.5, 2.0, 0.0]])


def test_equal_rewards_give_no_advantage_in_any_way():
    assert leave_one_out([0.7] * 5) == pytest.approx([0.0] * 5, abs=1e-12)
    assert group_normalised([0.7] * 5) == pytest.approx([0.0] * 5, abs=1e-9)
    mask = torch.tensor([[True, True], [True, False], [False, False]])
    placed = terminal_rewards(torch.full((3,), 0.7, dtype=torch.float64), mask)
    assert whiten(rewards_to_go(placed, mask, gamma=1.0), mask).abs().max() < 1e-6


def test_policy_and_critic_may_each_have_a_lambda():
    """Advantages follow gae_lambda, returns value_lambda; without one both follow the same."""
    random = np.random.default_rng(6)
    mask = random.random((3, 9)) > 0.3
    rewards, values = random.standard_normal((2, 3, 9))
    outcome = Outcome([], torch.tensor(rewards), torch.tensor(mask), torch.tensor(values))

    def of(lam: float) -> np.ndarray:
        return np.array([gae_of_row(*row, 0.98, lam) for row in zip(rewards, values, mask, strict=True)])

    apart = ADVANTAGES["ppo"](outcome, Ppo(gamma=0.98, gae_lambda=0.9, value_lambda=1.0))
    np.testing.assert_allclose(apart.advantages.numpy(), of(0.9), atol=1e-12)
    np.testing.assert_allclose(apart.returns.numpy(), np.where(mask, of(1.0) + values, 0.0), atol=1e-12)
    joint = ADVANTAGES["ppo"](outcome, Ppo(gamma=0.98, gae_lambda=0.9))
    np.testing.assert_allclose(joint.returns.numpy(), np.where(mask, of(0.9) + values, 0.0), atol=1e-12)
