import numpy as np
import pytest
import torch

from earwitness.recipe.schema import Optimizer, SamplingConfig
from earwitness.recipe.stages import RlStage
from trainer.batches import Row
from trainer.ranks import parallel
from trainer.rl.experience import names_of, updates_of
from trainer.rl.groups import Sample
from trainer.rl.recall import fill_advantages


@pytest.fixture(autouse=True, scope="module")
def alone():
    parallel.initialize(1, 1)


def stage(**changes) -> RlStage:
    return RlStage(
        steps=3,
        groups_per_step=3,
        sampling=SamplingConfig(samples=4),
        micro_batch_size=5,
        optimizer=Optimizer(learning_rate=1e-3),
        **changes,
    )


def groups(reference: bool = False) -> list[list[Sample]]:
    made = []
    for ordinal in range(3):
        group = []
        for index in range(4):
            length = 2 + index
            row = Row(np.arange(1, 4 + length), 3, (), f"ordinal {ordinal}, trajectory {index}")
            logprobs = np.full(length, -float(ordinal + 1), dtype=np.float32)
            group.append(Sample(ordinal, row, float(index % 2), logprobs, logprobs - 1 if reference else None))
        made.append(group)
    return made


def test_every_trajectory_is_in_exactly_one_micro_batch_under_its_name():
    updates = updates_of(groups(), stage(updates_per_step=2), {}, seed=1, step=1)
    names = names_of(groups(), seed=1, step=1)
    numbers = [int(n) for u in updates for e in u.micro_batches for n in e.batch.numbers]
    assert sorted(numbers) == list(range(12))
    assert sorted(names) == sorted(s.row.name for g in groups() for s in g)
    assert [u.tokens for u in updates] == [
        sum(int(e.mask.sum()) for e in u.micro_batches) for u in updates
    ]  # the global count is this rank's when it is alone
    for update in updates:
        for e in update.micro_batches:
            for number, logprobs, mask in zip(e.batch.numbers, e.rollout_logprobs, e.mask, strict=True):
                ordinal = int(names[int(number)].split(",")[0].split()[1])
                assert set(logprobs[mask].tolist()) == {-float(ordinal + 1)}


def test_groups_stay_together_when_updates_divide_them():
    updates = updates_of(groups(), stage(updates_per_step=3), {}, seed=1, step=1)
    names = names_of(groups(), seed=1, step=1)
    for update in updates:
        ordinals = {names[int(n)].split(",")[0] for e in update.micro_batches for n in e.batch.numbers}
        assert len(ordinals) == 1


def test_the_shuffle_depends_on_seed_and_step_only():
    assert names_of(groups(), seed=1, step=1) == names_of(groups(), seed=1, step=1)
    shuffles = {tuple(names_of(groups(), seed=1, step=step)) for step in range(1, 9)}
    assert len(shuffles) > 1


def test_reference_logprobs_come_along_if_there_are_any():
    (update,) = updates_of(groups(reference=True), stage(), {}, seed=1, step=1)
    for e in update.micro_batches:
        assert torch.equal(e.reference_logprobs[e.mask], e.rollout_logprobs[e.mask] - 1)
    (update,) = updates_of(groups(), stage(), {}, seed=1, step=1)
    assert all(e.reference_logprobs is None for e in update.micro_batches)


@pytest.mark.parametrize(("algorithm", "expected"), [("rloo", 2 / 3), ("grpo", 0.5 / (np.sqrt(1 / 3) + 1e-6))])
def test_group_baselines_reach_every_response_token(algorithm, expected):
    (update,) = updates_of(groups(), stage(algorithm=algorithm), {}, seed=1, step=1)
    for e in update.micro_batches:
        e.old_logprobs = torch.zeros_like(e.rollout_logprobs)
    fill_advantages(update.micro_batches, stage(algorithm=algorithm))
    for e in update.micro_batches:
        signs = torch.where(e.rewards > 0, 1.0, -1.0)[:, None]
        assert torch.allclose(e.advantages, torch.where(e.mask, signs * expected, 0.0))


def test_whitened_advantages_have_zero_mean_and_unit_variance_over_the_step():
    updates = updates_of(groups(), stage(updates_per_step=3), {}, seed=1, step=1)
    experiences = [e for u in updates for e in u.micro_batches]
    for e in experiences:
        e.old_values = torch.rand(e.mask.shape)
    fill_advantages(experiences, stage())
    flat = torch.cat([e.advantages[e.mask] for e in experiences])
    assert abs(float(flat.mean())) < 1e-6
    assert float(flat.var()) == pytest.approx(1.0, abs=1e-5)
    assert all(e.advantages[~e.mask].eq(0).all() for e in experiences)
    assert all(torch.allclose(e.returns[e.mask], e.rewards[:, None].expand_as(e.mask)[e.mask]) for e in experiences)


def test_reinforce_plus_plus_whitens_the_reward_less_the_kl_to_come():
    how = stage(algorithm={"type": "reinforce++", "gamma": 0.9}, kl_coef=0.3)
    (update,) = updates_of(groups(reference=True), how, {}, seed=1, step=1)
    random = np.random.default_rng(2)
    raw = {}
    for e in update.micro_batches:
        e.old_logprobs = torch.tensor(random.uniform(-3, 0, e.mask.shape)) * e.mask
        for i, number in enumerate(e.batch.numbers.tolist()):
            length = int(e.mask[i].sum())
            kl = (e.old_logprobs - e.reference_logprobs)[i, :length].double().numpy()
            rewards = -0.3 * kl
            rewards[-1] += float(e.rewards[i])
            raw[number] = [sum(0.9 ** (u - t) * rewards[u] for u in range(t, length)) for t in range(length)]
    fill_advantages(update.micro_batches, how)
    flat = np.concatenate(list(raw.values()))
    for e in update.micro_batches:
        for i, number in enumerate(e.batch.numbers.tolist()):
            expected = (np.array(raw[number]) - flat.mean()) / np.sqrt(flat.var(ddof=1) + 1e-8)
            np.testing.assert_allclose(e.advantages[i, : len(expected)].numpy(), expected, atol=1e-5)
        assert not e.advantages[~e.mask].any()
