"""The decoder against transformers' Qwen2, and the scatter of audio embeddings."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.precision_peer import qwen2
from trainer.model.audio import AudioBatch
from trainer.model.build import build_policy
from trainer.model.logprobs import States, response_logprobs
from trainer.model.policy import NO_AUDIO, PolicyModel

pytestmark = pytest.mark.smoke


@pytest.fixture(scope="module")
def policy(toy_dir: Path) -> PolicyModel:
    return build_policy(toy_dir)


def logits(states: States) -> torch.Tensor:
    """[batch, seq, vocab]"""
    return (states.hidden @ states.weight.T).transpose(0, 1)


def test_logprobs_equal_transformers(policy: PolicyModel, toy_dir: Path) -> None:
    tokens = torch.randint(20, 300, (3, 40), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours = response_logprobs(policy(tokens), tokens)
        theirs = qwen2(toy_dir)(tokens).logits.log_softmax(-1)
    expected = theirs[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1)
    assert expected.std() > 0.1, "a flat distribution would hide mistakes"
    torch.testing.assert_close(ours[:, 1:], expected, atol=1e-4, rtol=0)


def test_audio_stands_where_the_patches_are(policy: PolicyModel, toy_dir: Path) -> None:
    """Two rows share one clip, one has another, one has none: transformers fed with the same embeddings agrees."""
    frames = torch.tensor([80, 61])
    audio = AudioBatch(torch.randn(2, 16, 80), frames)
    index = torch.tensor([1, 0, NO_AUDIO, 1])
    assert policy.audio is not None
    with torch.no_grad():
        heard, counts = policy.audio(audio)
    tokens = torch.randint(20, 300, (4, 30))
    starts = [3, 5, 0, 9]
    for row, clip in enumerate(index.tolist()):
        if clip != NO_AUDIO:
            tokens[row, starts[row] : starts[row] + int(counts[clip])] = policy.audio_patch_id
    tokens[[1, 2], -1] = policy.audio_patch_id  # the policy's own words: a sampled response may hold the token
    model = qwen2(toy_dir)
    embedded = model.get_input_embeddings()(tokens).clone()
    for row, clip in enumerate(index.tolist()):
        if clip != NO_AUDIO:
            embedded[row, starts[row] : starts[row] + int(counts[clip])] = heard[clip, : int(counts[clip])]
    with torch.no_grad():
        torch.testing.assert_close(
            logits(policy(tokens, audio, index)), model(inputs_embeds=embedded).logits, atol=1e-4, rtol=1e-4
        )


def test_several_clips_of_a_row_take_its_patches_in_order(policy: PolicyModel, toy_dir: Path) -> None:
    """Whatever their lengths, also one clip twice: transformers fed with the same embeddings agrees."""
    audio = AudioBatch(torch.randn(3, 16, 80), torch.tensor([80, 61, 33]))
    index = torch.tensor([[1, 0, 1], [2, NO_AUDIO, NO_AUDIO], [NO_AUDIO] * 3])
    assert policy.audio is not None
    with torch.no_grad():
        heard, counts = policy.audio(audio)
    tokens = torch.randint(20, 300, (3, 50))
    model = qwen2(toy_dir)
    embedded = model.get_input_embeddings()(tokens).clone()
    for row, clips in enumerate(index.tolist()):
        at = 2
        for clip in (clip for clip in clips if clip != NO_AUDIO):
            count = int(counts[clip])
            tokens[row, at : at + count] = policy.audio_patch_id
            embedded[row, at : at + count] = heard[clip, :count]
            at += count + 3  # words between them
    with torch.no_grad():
        torch.testing.assert_close(
            logits(policy(tokens, audio, index)), model(inputs_embeds=embedded).logits, atol=1e-4, rtol=1e-4
        )


def test_padding_on_the_right_changes_nothing(policy: PolicyModel) -> None:
    tokens = torch.randint(20, 300, (2, 20))
    padded = torch.cat([tokens, torch.zeros(2, 9, dtype=torch.int64)], dim=1)
    with torch.no_grad():
        torch.testing.assert_close(logits(policy(padded))[:, :20], logits(policy(tokens)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("patches", [0, 1])
def test_refuses_too_few_patches(policy: PolicyModel, patches: int) -> None:
    tokens = torch.full((1, 40), 50)
    tokens[0, :patches] = policy.audio_patch_id
    audio = AudioBatch(torch.randn(1, 16, 80), torch.tensor([80]))
    with pytest.raises(ValueError, match=f"has {patches} audio-patch tokens"):
        policy(tokens, audio, torch.tensor([0]))


def test_a_sampled_patch_without_audio_is_a_token_like_any(policy: PolicyModel, toy_dir: Path) -> None:
    tokens = torch.full((1, 4), policy.audio_patch_id)
    with torch.no_grad():
        torch.testing.assert_close(logits(policy(tokens)), qwen2(toy_dir)(tokens).logits, atol=1e-4, rtol=1e-4)


def test_a_fresh_critic_says_zero_and_learns(toy_dir: Path) -> None:
    critic = build_policy(toy_dir, value_head=True, dtype=torch.bfloat16)
    values = critic(torch.randint(20, 300, (2, 12)))
    assert values.shape == (2, 12)
    assert values.dtype == torch.float32
    assert not values.any()
    (values - 1).square().sum().backward()
    assert critic.language_model.output_layer.weight.grad.abs().sum() > 0
