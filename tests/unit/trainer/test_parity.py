"""Which token the parity gate shows."""

import numpy as np
import pytest
import torch

from earwitness.recipe.schema import Optimizer, SamplingConfig
from earwitness.recipe.stages import RlStage
from trainer.batches import Row
from trainer.ranks import parallel
from trainer.rl import parity
from trainer.rl.experience import names_of, updates_of
from trainer.rl.groups import Sample
from trainer.rl.parity import ParityError, check_parity, first_differing, gap_bound

STAGE = RlStage(
    steps=1,
    groups_per_step=3,
    sampling=SamplingConfig(samples=4),
    micro_batch_size=5,
    optimizer=Optimizer(learning_rate=1e-3),
)


@pytest.fixture(autouse=True, scope="module")
def alone():
    parallel.initialize(1, 1)


@pytest.fixture
def batch():
    """Twelve responses of two to five tokens, in three micro-batches, on which trainer and rollout agree."""
    groups = [
        [
            Sample(
                ordinal,
                Row(np.arange(1, 6 + index), 3, (), f"ordinal {ordinal}, trajectory {index}"),
                1.0,
                np.full(2 + index, -1.0, dtype=np.float32),
                None,
            )
            for index in range(4)
        ]
        for ordinal in range(3)
    ]
    (update,) = updates_of(groups, STAGE, {}, seed=1, step=1)
    for e in update.micro_batches:
        e.old_logprobs = e.rollout_logprobs.clone()
    return update.micro_batches, names_of(groups, seed=1, step=1)


def perturb(experiences, row, position, by):
    for e in experiences:
        for index, number in enumerate(e.batch.numbers.tolist()):
            if number == row:
                e.old_logprobs[index, position] += by


def test_agreement_differs_nowhere(batch):
    experiences, names = batch
    assert first_differing(experiences, 1e-9) is None
    check_parity(experiences, 0.001, 0.001, names, str)


def test_the_first_token_in_the_order_of_rows_and_positions_is_shown(batch):
    experiences, names = batch
    perturb(experiences, 7, 0, 5.0)
    perturb(experiences, 2, 1, -0.5)
    perturb(experiences, 2, 0, 0.01)  # below the bound
    token = first_differing(experiences, 0.02)
    assert (token.row, token.position, token.token_id) == (2, 1, 5)  # tokens 1, 2, 3 are the prompt; 4, 5, ... follow
    assert (token.trainer, token.rollout) == pytest.approx((-1.5, -1.0))
    expected = rf"is 0\.46; expected at most logprob_gap_bound = 0\.02\. .*: {names[2]}, token 1 of its response, "
    with pytest.raises(ParityError, match=expected + r"id 5 'five': trainer -1\.5000, rollout -1\.0000"):
        check_parity(experiences, 0.46, 0.02, names, {5: "five"}.__getitem__)


@pytest.mark.parametrize(
    ("kind", "dtype", "measured"),
    [
        ("cpu", torch.float32, 3.4e-6),
        ("cuda", torch.float32, 0.0023),
        ("cpu", torch.bfloat16, 0.028),
        ("cuda", torch.bfloat16, 0.028),
    ],
)
def test_rounding_alone_passes_the_gate(kind, dtype, measured, monkeypatch):
    """What benchmarks/precision.py finds, on a GPU in TF32, is well within; a matrix 5 % too large in fp32 is not."""
    monkeypatch.setattr(parity, "device", lambda: torch.device(kind))
    bound = gap_bound(dtype)
    assert bound >= 3 * measured
    assert dtype == torch.bfloat16 or bound < 0.0365


def test_what_is_not_a_number_of_the_response_does_not_count(batch):
    experiences, _ = batch
    for e in experiences:
        e.old_logprobs[~e.mask] = -99.0
    assert first_differing(experiences, 0.02) is None
    assert torch.isfinite(experiences[0].old_logprobs).all()
