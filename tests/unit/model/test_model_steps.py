"""Steps of reinforcement learning on a real model: old log-probs that the first update finds itself change nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from earwitness.recipe.schema import Optimizer, SamplingConfig
from earwitness.recipe.stages import RlStage
from trainer.batches import Row
from trainer.learner import Learner
from trainer.model.build import build_policy
from trainer.rl.experience import names_of, updates_of
from trainer.rl.groups import Sample
from trainer.rl.learn import learn
from trainer.rl.recall import recall

STEPS, GROUPS, SAMPLES = 3, 2, 4


def groups(step: int) -> list[list[Sample]]:
    random = np.random.default_rng(step)
    made = []
    for ordinal in range(GROUPS):
        prompt = random.integers(20, 300, 6)
        group = []
        for index in range(SAMPLES):
            tokens = np.array([*prompt, *random.integers(20, 300, 3 + index)], dtype=np.int64)
            logprobs = random.uniform(-8, -5, 3 + index).astype(np.float32)
            row = Row(tokens, len(prompt), (), f"ordinal {ordinal}, trajectory {index}")
            group.append(Sample(ordinal, row, float(random.random()), logprobs, logprobs - 0.1))
        made.append(group)
    return made


def steps(model: Path, stage: RlStage, *, first: bool) -> tuple[list[dict[str, float]], list[torch.Tensor], int]:
    """Figures of each step, the parameters after the last, and rows that the policy has seen."""
    learners = [Learner(build_policy(model, value_head=v), stage.optimizer, STEPS) for v in (False, True)]
    policy, critic = learners[0], learners[1] if stage.algorithm.type == "ppo" else None
    seen: list[int] = []
    policy.model.module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].numel()))
    figures = []
    for step in range(1, STEPS + 1):
        updates = updates_of(groups(step), stage, {}, seed=1, step=step)
        names = names_of(groups(step), seed=1, step=step)
        found = recall(policy, critic, updates, stage, names, first=first)
        figures.append(learn(policy, critic, updates, stage, step, names, found))
    parameters = [p.detach() for learner in learners for p in learner.model.parameters()]
    return figures, parameters, len(seen)


@pytest.mark.parametrize(
    ("changes", "saved"),
    [
        ({"algorithm": "ppo", "updates_per_step": 2}, STEPS),
        ({"algorithm": "rloo"}, STEPS),
        ({"algorithm": "grpo", "kl_coef": 0.1, "entropy_coef": 0.01}, STEPS),
        ({"algorithm": "grpo", "loss": "gspo", "updates_per_step": 2}, STEPS),
        ({"algorithm": "ppo", "loss": "cispo", "updates_per_step": 2}, STEPS),
        ({"algorithm": "reinforce++", "kl_coef": 0.1}, 0),  # its advantages need them
    ],
    ids=str,
)
def test_old_logprobs_of_the_first_update_change_nothing(toy_dir: Path, changes: dict, saved: int) -> None:
    optimizer = Optimizer(learning_rate=1e-3)
    how = {"groups_per_step": GROUPS, "sampling": SamplingConfig(samples=SAMPLES), "micro_batch_size": 8}
    stage = RlStage(steps=STEPS, optimizer=optimizer, **how, **changes)
    recalled, expected, passes = steps(toy_dir, stage, first=True)
    found, parameters, fewer = steps(toy_dir, stage, first=False)
    assert passes - fewer == saved
    assert [f["first.ratio_gap"] for f in recalled] == [0.0] * STEPS
    for ours, theirs in zip(found, recalled, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-7)
    for ours, theirs in zip(parameters, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=0, rtol=0)
