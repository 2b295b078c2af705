"""Losses of whole updates against float64 numpy written out: masks with holes, empty answers, overflow, NaN."""

import numpy as np
import pytest
import torch

from earwitness.recipe.schema import ClipLoss, Optimizer
from earwitness.recipe.stages import RlStage
from trainer.batches import Batch
from trainer.model.logprobs import States
from trainer.ranks import parallel
from trainer.ranks.figures import BAD_ROW, NO_ROW
from trainer.rl.experience import Experience, Update
from trainer.rl.kl import CLAMP
from trainer.rl.learn import policy_loss, value_loss
from trainer.tuning.preference import PairBatch, preference_loss
from trainer.tuning.supervised import supervised_loss

HIDDEN, VOCAB = 6, 11
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]], dtype=bool)
"""Responses of 4, 2, 0 and 1 tokens."""
TOKENS = int(MASK.sum())
TEMPERATURE = 0.7


@pytest.fixture(autouse=True, scope="module")
def alone():
    parallel.initialize(1, 1)


class Case:
    """States and data, and what the policy says of it in float64."""

    def __init__(self, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.hidden = random.standard_normal((9, 1, HIDDEN))
        self.weight = random.standard_normal((VOCAB, HIDDEN))
        self.tokens = random.integers(0, VOCAB, TOKENS)
        self.before = np.arange(TOKENS)
        x = self.hidden[self.before, 0] @ self.weight.T / TEMPERATURE
        logs = x - np.log(np.exp(x).sum(1, keepdims=True))
        self.logprobs = placed(logs[np.arange(TOKENS), self.tokens])
        self.entropy = placed(-(np.exp(logs) * logs).sum(1))
        self.old = self.logprobs + np.where(MASK, random.uniform(-0.6, 0.6, MASK.shape), 0)
        self.rollout = self.old + np.where(MASK, random.uniform(-1.2, 1.2, MASK.shape), 0)
        self.reference = self.logprobs + np.where(MASK, random.uniform(-2, 2, MASK.shape), 0)
        self.advantages = np.where(MASK, random.standard_normal(MASK.shape), 0)

    def states(self) -> States:
        return States(torch.tensor(self.hidden, requires_grad=True), torch.tensor(self.weight, requires_grad=True))

    def batch(self) -> Batch:
        return Batch(
            tokens=torch.zeros(1, 9, dtype=torch.int64),
            segments=None,
            mask=torch.tensor(MASK),
            responses=torch.tensor(self.tokens),
            before=torch.tensor(self.before),
            audio=None,
            audio_index=torch.full((4, 1), -1),
            numbers=torch.tensor([7, 5, 3, 9]),
        )

    def experience(self, reference: bool = False) -> Experience:
        e = Experience(self.batch(), torch.tensor(self.rollout), None, [])
        e.reference_logprobs = torch.tensor(self.reference) if reference else None
        e.old_logprobs, e.advantages = torch.tensor(self.old), torch.tensor(self.advantages)
        return e


def placed(values: np.ndarray) -> np.ndarray:
    out = np.zeros(MASK.shape)
    out[MASK] = values
    return out


def stage(**changes) -> RlStage:
    return RlStage(
        steps=1, optimizer=Optimizer(learning_rate=1e-3), sampling={"samples": 4, "temperature": TEMPERATURE}, **changes
    )


def expected_policy_loss(case: Case, how: RlStage, reference: bool) -> float:
    losses = np.zeros(MASK.shape)
    for row, column in zip(*MASK.nonzero(), strict=True):
        ratio = np.exp(case.logprobs[row, column] - case.old[row, column])
        advantage = case.advantages[row, column]
        clipped = min(max(ratio, 1 - how.loss.clip_low), 1 + how.loss.clip_high)
        value = max(-ratio * advantage, -clipped * advantage)
        if advantage < 0:
            value = min(value, -how.loss.dual_clip * advantage)
        value *= min(np.exp(case.old[row, column] - case.rollout[row, column]), how.importance_cap)
        if reference and how.algorithm.type != "reinforce++":
            d = case.logprobs[row, column] - case.reference[row, column]
            kl = {"k1": d, "k2": d * d / 2, "k3": np.exp(-d) - 1 + d}[how.kl_estimator]
            value += how.kl_coef * min(max(kl, -CLAMP), CLAMP)
        losses[row, column] = value - how.entropy_coef * case.entropy[row, column]
    if how.loss.mean == "token":
        return losses.sum() / TOKENS
    return sum(losses[row][MASK[row]].mean() for row in range(4) if MASK[row].any()) / 3


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"loss": {"type": "clip", "clip_high": 0.28, "dual_clip": 1.2}},
        {"importance_cap": 1.1},
        {"entropy_coef": 0.05},
        {"loss": {"type": "clip", "mean": "sequence"}},
        {"kl_coef": 0.1, "kl_estimator": "k1"},
        {"kl_coef": 0.1, "kl_estimator": "k2"},
        {"kl_coef": 0.1, "kl_estimator": "k3", "entropy_coef": 0.01, "loss": {"type": "clip", "mean": "sequence"}},
        {"algorithm": "reinforce++", "kl_coef": 0.1},
    ],
    ids=str,
)
def test_the_policy_loss_is_the_written_out_one(changes):
    how, update = stage(**changes), Update([], TOKENS, 3)
    for seed in range(3):
        case = Case(seed)
        reference = "kl_coef" in changes
        loss, figures = policy_loss(how, update)(case.states(), case.experience(reference))
        assert float(loss) == pytest.approx(expected_policy_loss(case, how, reference), rel=1e-5, abs=1e-6)
        assert int(figures[BAD_ROW]) == NO_ROW


@pytest.mark.parametrize("loss_mean", ["token", "sequence"])
def test_its_gradient_is_that_of_finite_differences(loss_mean):
    """Clips make kinks; none lies within the step of these cases."""
    how, update, case, step = stage(loss=ClipLoss(mean=loss_mean)), Update([], TOKENS, 3), Case(1), 1e-2
    states = case.states()
    policy_loss(how, update)(states, case.experience())[0].backward()
    direction = np.random.default_rng(8).standard_normal(case.weight.shape)
    direction /= np.linalg.norm(direction)

    def moved(by: float) -> float:
        other = Case(1)
        x = other.hidden[other.before, 0] @ (other.weight + by * direction).T / TEMPERATURE
        logs = x - np.log(np.exp(x).sum(1, keepdims=True))
        other.logprobs = placed(logs[np.arange(TOKENS), other.tokens])
        return expected_policy_loss(other, how, reference=False)

    slope = (moved(step / 100) - moved(-step / 100)) / (2 * step / 100)
    assert float((states.weight.grad * torch.tensor(direction)).sum()) == pytest.approx(slope, rel=1e-3)


def test_ratios_that_overflow_stay_finite_and_bounded():
    """exp(2000) is infinite in any format; where the advantage is negative the dual clip bounds the loss."""
    case = Case()
    case.old = np.where(MASK, -2000.0, 0.0)
    case.advantages = np.where(MASK, -1.0, 0.0)
    states = case.states()
    loss, figures = policy_loss(stage(importance_cap=1.0), Update([], TOKENS, 3))(states, case.experience())
    loss.backward()
    weights = np.minimum(np.exp(np.minimum(case.old - case.rollout, 0.0)), 1.0)
    assert float(loss) == pytest.approx(3.0 * weights[MASK].mean(), rel=1e-6)
    assert bool(states.weight.grad.isfinite().all())
    assert int(figures[BAD_ROW]) == NO_ROW


@pytest.mark.parametrize("where", ["rollout", "old", "advantages"])
def test_a_number_that_is_none_names_its_row(where):
    case = Case()
    getattr(case, where)[1, 1] = np.nan
    _, figures = policy_loss(stage(), Update([], TOKENS, 3))(case.states(), case.experience())
    assert int(figures[BAD_ROW]) == 5  # of rows numbered 7, 5, 3, 9


def test_the_supervised_loss_is_the_mean_over_the_tokens_of_the_global_batch():
    case = Case()
    loss, _ = supervised_loss(2 * TOKENS)(case.states(), case.batch())
    x = case.hidden[case.before, 0] @ case.weight.T
    logs = x - np.log(np.exp(x).sum(1, keepdims=True))
    assert float(loss) == pytest.approx(-logs[np.arange(TOKENS), case.tokens].sum() / (2 * TOKENS), rel=1e-5)


def test_the_value_loss_is_the_written_out_one():
    case, how = Case(2), stage(algorithm={"type": "ppo", "value_clip": 0.3}).algorithm
    random = np.random.default_rng(1)
    values, old, returns = (random.standard_normal(MASK.shape) for _ in range(3))
    e = case.experience()
    e.old_values, e.returns = torch.tensor(old), torch.tensor(returns)
    output = torch.zeros(1, 9, dtype=torch.float64)
    output[0, :TOKENS] = torch.tensor(values[MASK])
    loss, _ = value_loss(how, Update([], TOKENS, 3))(output, e)
    clipped = old + np.clip(values - old, -0.3, 0.3)
    expected = 0.5 * np.maximum((values - returns) ** 2, (clipped - returns) ** 2)[MASK].sum() / TOKENS
    assert float(loss) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("length_normalised", [False, True])
def test_the_preference_loss_is_the_written_out_one(length_normalised):
    """Pairs of rows of 4 and 2 tokens, and of 0 and 1: an empty answer gained nothing."""
    case, beta = Case(3), 0.3
    x = case.hidden[case.before, 0] @ case.weight.T
    logs = x - np.log(np.exp(x).sum(1, keepdims=True))
    sums = placed(logs[np.arange(TOKENS), case.tokens]).sum(1)
    reference = np.array([-9.0, -5.0, 0.0, -1.5])
    gained = (sums - reference) / (np.array([4, 2, 1, 1]) if length_normalised else 1)
    margins = beta * (gained[[0, 2]] - gained[[1, 3]])
    e = PairBatch(case.batch(), torch.tensor(reference), torch.tensor([True, True]))
    states = case.states()
    loss, figures = preference_loss(2, beta=beta, length_normalised=length_normalised)(states, e)
    assert float(loss) == pytest.approx(np.log1p(np.exp(-margins)).mean(), rel=1e-5)
    assert float(figures["margin"]) == pytest.approx(margins.mean(), rel=1e-5)
    assert float(figures["accuracy"]) == pytest.approx((margins > 0).mean())
    loss.backward()
    assert bool(states.weight.grad.any())


def test_a_pair_that_does_not_count_adds_nothing_and_a_bad_one_is_named():
    case = Case(3)
    reference = torch.tensor([-9.0, -5.0, 0.0, float("nan")])
    loss = preference_loss(1, beta=0.3, length_normalised=False)
    total, figures = loss(case.states(), PairBatch(case.batch(), reference, torch.tensor([True, False])))
    assert bool(total.isfinite()) and int(figures[BAD_ROW]) == NO_ROW
    _, figures = loss(case.states(), PairBatch(case.batch(), reference, torch.tensor([True, True])))
    assert int(figures[BAD_ROW]) == 9


def test_margins_beyond_exp_are_finite():
    """-log sigmoid(-1000 · beta) is 1000 · beta, not infinite."""
    case = Case(3)
    reference = torch.tensor([0.0, -5000.0, 5000.0, 0.0])
    e = PairBatch(case.batch(), reference, torch.tensor([True, True]))
    states = case.states()
    total, _ = preference_loss(2, beta=1.0, length_normalised=False)(states, e)
    total.backward()
    assert 4900 < float(total) < 5100
    assert bool(states.weight.grad.isfinite().all())
