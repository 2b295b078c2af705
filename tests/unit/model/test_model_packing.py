"""Packed rows give what padded rows give: log-probs, values and gradients, with and without audio."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from trainer.batches import Batch, Row, collate
from trainer.model.logprobs import logprobs, logprobs_and_entropy, response_values
from trainer.model.policy import PolicyModel, build_policy

CPU = torch.device("cpu")
FRAMES = {"long": 81, "short": 61}
PATCHES = {"long": 10, "short": 8}


@pytest.fixture(scope="module")
def policy(toy_dir: Path) -> PolicyModel:
    return build_policy(toy_dir)


def rows(audio_patch_id: int) -> list[tuple[int, Row]]:
    """Of different length: two share a clip, one has another, one has none, one has no response."""
    random = np.random.default_rng(4)
    made = []
    for number, (clip, response) in enumerate([("long", 9), ("", 5), ("short", 3), ("long", 1), ("", 0)]):
        heard = [audio_patch_id] * PATCHES.get(clip, 0)
        prompt = [*random.integers(20, 300, 3 + number), *heard, *random.integers(20, 300, 2)]
        tokens = np.array([*prompt, *random.integers(20, 300, response)], dtype=np.int64)
        made.append((number, Row(tokens, len(prompt), clip, f"row {number}")))
    made[0][1].tokens[-1] = audio_patch_id  # a sampled response may hold the token
    return made


def batches(policy: PolicyModel) -> tuple[Batch, Batch]:
    random = np.random.default_rng(5)
    mels = {clip: random.standard_normal((16, frames)).astype(np.float32) for clip, frames in FRAMES.items()}
    numbered = rows(policy.audio_patch_id)
    padded, packed = (collate(numbered, mels, CPU, packed=p) for p in (False, True))
    return padded, packed


def run(model: PolicyModel, batch: Batch):
    return model(batch.tokens, batch.audio, batch.audio_index, batch.segments)


def test_batches_have_the_same_shape_to_a_loss(policy: PolicyModel) -> None:
    padded, packed = batches(policy)
    assert packed.tokens.numel() < padded.tokens.numel()
    assert sum(packed.segments) == packed.tokens.shape[1]
    assert torch.equal(padded.mask, packed.mask)
    assert torch.equal(padded.responses, packed.responses)


def test_logprobs_entropy_and_gradients_are_equal(policy: PolicyModel) -> None:
    seen = []
    for batch in batches(policy):
        found = logprobs_and_entropy(run(policy, batch), batch, 0.7)
        total = (found[0] * torch.linspace(-1, 1, found[0].numel()).view_as(found[0])).sum() + 0.1 * found[1].sum()
        seen.append((found, torch.autograd.grad(total, list(policy.parameters()))))
    (padded, of_padded), (packed, of_packed) = seen
    for ours, theirs in zip((*packed, *of_packed), (*padded, *of_padded), strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)


def test_values_are_equal(toy_dir: Path) -> None:
    critic = build_policy(toy_dir, value_head=True)
    torch.nn.init.normal_(critic.language_model.output_layer.weight)
    with torch.no_grad():
        padded, packed = (response_values(run(critic, batch), batch) for batch in batches(critic))
    assert padded.abs().sum() > 1
    torch.testing.assert_close(packed, padded, atol=1e-5, rtol=1e-5)


def test_a_packed_row_does_not_see_its_neighbours(policy: PolicyModel) -> None:
    _, packed = batches(policy)
    changed = packed.tokens.clone()
    changed[0, packed.segments[0] : packed.segments[0] + 3] += 1  # the second row's prompt
    with torch.no_grad():
        before = logprobs(run(policy, packed), packed)
        after = logprobs(policy(changed, packed.audio, packed.audio_index, packed.segments), packed)
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[2:], after[2:])
    assert not torch.equal(before[1], after[1])
