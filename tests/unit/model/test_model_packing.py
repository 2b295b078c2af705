"""Packed rows give what padded rows give, also where they share prompts: log-probs, values, gradients, with audio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from trainer import batches as batches_module
from trainer.batches import Batch, Row, collate, padded_length
from trainer.model.build import build_policy
from trainer.model.logprobs import logprobs, logprobs_and_entropy, response_values
from trainer.model.policy import PolicyModel

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
        made.append((number, Row(tokens, len(prompt), (clip,) if clip else (), f"row {number}")))
    made[0][1].tokens[-1] = audio_patch_id  # a sampled response may hold the token
    return made


def batches(policy: PolicyModel) -> tuple[Batch, Batch]:
    random = np.random.default_rng(5)
    mels = {clip: [random.standard_normal((16, frames)).astype(np.float32)] for clip, frames in FRAMES.items()}
    numbered = rows(policy.audio_patch_id)
    padded, packed = (collate(numbered, mels, CPU, packed=p) for p in (False, True))
    return padded, packed


def run(model: PolicyModel, batch: Batch):
    return model(batch.tokens, batch.audio, batch.audio_index, batch.segments)


def test_batches_have_the_same_shape_to_a_loss(policy: PolicyModel) -> None:
    padded, packed = batches(policy)
    assert packed.tokens.numel() < padded.tokens.numel()
    assert sum(packed.segments.lengths) == packed.tokens.shape[1]
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


def test_the_last_mlp_sees_only_what_is_read(policy: PolicyModel) -> None:
    """Rows that are padded it sees whole, and gives the same: the tests beside this one compare the two."""
    padded, packed = batches(policy)
    layers = policy.language_model.decoder.layers
    seen: list[int] = []
    hooks = [layer.mlp.register_forward_pre_hook(lambda _, given: seen.append(given[0].numel())) for layer in layers]
    with torch.no_grad():
        run(policy, packed), run(policy, padded)
    for hook in hooks:
        hook.remove()
    width = policy.config.hidden_size
    tokens, read = packed.tokens.numel(), len(packed.before.unique())
    assert read < tokens / 2
    assert seen == [tokens * width] * (len(layers) - 1) + [read * width] + [padded.tokens.numel() * width] * len(layers)


def test_a_pack_of_which_nothing_is_read_teaches_nothing(policy: PolicyModel) -> None:
    """Work for a rank that has none, which takes part in the update all the same."""
    muted = [(number, row.muted()) for number, row in rows(policy.audio_patch_id) if not row.clips]
    packed = collate(muted, {}, CPU, packed=True)
    policy.zero_grad()
    logprobs(run(policy, packed), packed).sum().backward()
    gradients = [p.grad for p in policy.language_model.parameters() if p.grad is not None]
    assert gradients and not any(gradient.any() for gradient in gradients)


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
    changed[0, packed.segments.lengths[0] : packed.segments.lengths[0] + 3] += 1  # the second row's prompt
    with torch.no_grad():
        before = logprobs(run(policy, packed), packed)
        after = logprobs(policy(changed, packed.audio, packed.audio_index, packed.segments), packed)
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[2:], after[2:])
    assert not torch.equal(before[1], after[1])


def group_rows(audio_patch_id: int) -> list[tuple[int, Row]]:
    """Rows of two groups and one that is alone; responses of any length, one, and none; one quotes the patch token."""
    random = np.random.default_rng(6)
    made: list[tuple[int, Row]] = []
    for clip, width, responses in (("long", 3, (9, 1, 4, 12)), ("", 7, (5, 5)), ("short", 5, (6,)), ("", 7, (0, 3))):
        heard = [audio_patch_id] * PATCHES.get(clip, 0)
        prompt = [*random.integers(20, 300, width), *heard, *random.integers(20, 300, 2)]
        for response in responses:
            tokens = np.array([*prompt, *random.integers(20, 300, response)], dtype=np.int64)
            made.append((len(made), Row(tokens, len(prompt), (clip,) if clip else (), f"row {len(made)}")))
    made[0][1].tokens[-3] = audio_patch_id
    return made


def apart_and_shared(policy: PolicyModel, monkeypatch: pytest.MonkeyPatch) -> tuple[Batch, Batch]:
    random = np.random.default_rng(5)
    mels = {clip: [random.standard_normal((16, frames)).astype(np.float32)] for clip, frames in FRAMES.items()}
    numbered = group_rows(policy.audio_patch_id)
    shared = collate(numbered, mels, CPU)
    monkeypatch.setattr(batches_module, "LONG", 0)  # nothing is short enough to share
    return collate(numbered, mels, CPU), shared


def test_a_prompt_of_several_rows_stands_in_a_pack_once(policy: PolicyModel, monkeypatch: pytest.MonkeyPatch) -> None:
    apart, shared = apart_and_shared(policy, monkeypatch)
    prompts = {(row.clips, *row.tokens[: row.prompt_tokens]) for _, row in group_rows(policy.audio_patch_id)}
    assert apart.segments is None
    assert shared.segments is not None
    used = sum(len(prompt) - 1 for prompt in prompts) + sum(max(int(n) - 1, 0) for n in apart.mask.sum(1))
    assert shared.tokens.numel() == padded_length(used)
    assert torch.equal(apart.mask, shared.mask)
    assert torch.equal(apart.responses, shared.responses)


@pytest.mark.parametrize("recompute", [False, True])
def test_shared_prompts_change_no_logprob_entropy_or_gradient(
    toy_dir: Path, recompute: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = build_policy(toy_dir, recompute=recompute)
    seen: list[Any] = []
    for batch in apart_and_shared(policy, monkeypatch):
        found = logprobs_and_entropy(run(policy, batch), batch, 0.7)
        total = (found[0] * torch.linspace(-1, 1, found[0].numel()).view_as(found[0])).sum() + 0.1 * found[1].sum()
        policy.zero_grad()
        total.backward()
        seen.append((found, [parameter.grad for parameter in policy.parameters()]))
    (apart, of_apart), (shared, of_shared) = seen
    assert float(apart[0].abs().sum()) > 1
    for ours, theirs in zip((*shared, *of_shared), (*apart, *of_apart), strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=1e-4)


def test_shared_prompts_change_no_value(toy_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    critic = build_policy(toy_dir, value_head=True)
    torch.nn.init.normal_(critic.language_model.output_layer.weight)
    with torch.no_grad():
        apart, shared = (response_values(run(critic, batch), batch) for batch in apart_and_shared(critic, monkeypatch))
    assert apart.abs().sum() > 1
    torch.testing.assert_close(shared, apart, atol=1e-5, rtol=1e-5)


def test_a_response_sees_neither_its_siblings_nor_another_prompt(
    policy: PolicyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, shared = apart_and_shared(policy, monkeypatch)
    assert shared.segments is not None
    starts = np.cumsum([0, *shared.segments.lengths])
    with torch.no_grad():
        before = logprobs(run(policy, shared), shared)
        for segment, rows_seen in ((1, [0]), (5, [4, 5])):  # a response of the first group; the second's prompt
            changed = shared.tokens.clone()
            changed[0, starts[segment]] += 1
            after = logprobs(policy(changed, shared.audio, shared.audio_index, shared.segments), shared)
            moved = [row for row in range(len(before)) if not torch.equal(before[row], after[row])]
            assert moved == [row for row in rows_seen if shared.mask[row].any()]


def test_what_is_thought_between_segments_is_as_likely_as_when_it_was_drawn(policy: PolicyModel) -> None:
    """A row that hears on behind its thoughts says of them what one says that ends there, as a server does."""
    random, patch = np.random.default_rng(6), policy.audio_patch_id
    heard = [[patch] * PATCHES[clip] for clip in ("long", "short")]
    before, thought, answer = (random.integers(20, 300, count).tolist() for count in (4, 3, 5))
    tokens = np.array([*before, *heard[0], *thought, *heard[1], *answer])
    first = len(before) + len(heard[0])
    given = ((first + len(thought), len(tokens) - len(answer)),)
    mels = {clip: [random.standard_normal((16, frames)).astype(np.float32)] for clip, frames in FRAMES.items()}
    mels["both"] = [*mels["long"], *mels["short"]]
    whole, then = Row(tokens, first, ("both",), given=given), Row(tokens[: given[0][0]], first, ("long",))
    plain, other = Row(tokens, given[0][1], ("both",)), rows(patch)[2][1]
    found = []
    for packed in (False, True):
        batch = collate(list(enumerate([whole, then, plain, other])), mels, CPU, packed=packed)
        with torch.no_grad():
            found.append(logprobs(run(policy, batch), batch))
    padded, packed_rows = found
    torch.testing.assert_close(packed_rows, padded, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(padded[0, :3], padded[1, :3], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(padded[0, 3:8], padded[2, :5], atol=1e-5, rtol=1e-5)
    assert float(padded[0].abs().sum()) > 1
