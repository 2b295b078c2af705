"""Updates: gradients equal plain autograd's, however the batch is cut; what is frozen stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from earwitness.recipe.schema import Optimizer
from trainer.model.audio import AudioBatch
from trainer.model.build import build_policy
from trainer.model.logprobs import response_logprobs
from trainer.model.optimizer import accumulate, forward, wrap
from trainer.model.policy import unwrap

OPTIMIZER = Optimizer(learning_rate=1e-2, clip_grad=1.0, weight_decay=0.1)
ROWS, SEQ, FRAMES = 4, 20, 81
PATCHES = 10
COUNT = ROWS * (SEQ - 14)


def batch(rows: Any, audio_patch_id: int, first: int = 0, last: int = ROWS) -> Any:
    """Rows first..last of a fixed batch; rows 0, 1 share a clip, so do rows 2, 3."""
    generator = torch.Generator().manual_seed(9)
    tokens = torch.randint(20, 300, (ROWS, SEQ), generator=generator)
    tokens[:, 2 : 2 + PATCHES] = audio_patch_id
    mels = torch.randn(2, 16, FRAMES, generator=generator)
    clips = sorted({row // 2 for row in range(first, last)})
    audio = AudioBatch(mels[clips], torch.tensor([FRAMES] * len(clips)))
    return rows(tokens[first:last], audio, torch.tensor([clips.index(row // 2) for row in range(first, last)]))


def loss(output: Tensor, micro: Any) -> tuple[Tensor, dict[str, Tensor]]:
    """-log p of the tokens after the 14th, over the count of the whole batch."""
    value = -response_logprobs(output, micro.tokens)[:, 14:].sum() / COUNT
    return value, {"loss": value.detach()}


def gradients(wrapped: Any) -> dict[str, Tensor]:
    return {name: p.main_grad.clone() for name, p in unwrap(wrapped).named_parameters()}


def test_gradients_are_those_of_autograd_however_the_batch_is_cut(toy_dir: Path, rows: Any) -> None:
    plain = build_policy(toy_dir)
    whole = batch(rows, plain.audio_patch_id)
    loss(plain(whole.tokens, whole.audio, whole.audio_index), whole)[0].backward()
    wrapped, optimizer = wrap(build_policy(toy_dir), OPTIMIZER)
    cuts = [[(0, 4)], [(0, 2), (2, 4)], [(0, 1), (1, 4)]]
    for cut in cuts:
        figures = accumulate(wrapped, [batch(rows, plain.audio_patch_id, *part) for part in cut], loss)
        assert len(figures) == len(cut)
        for name, parameter in plain.named_parameters():
            torch.testing.assert_close(gradients(wrapped)[name], parameter.grad, atol=1e-6, rtol=1e-4, msg=name)
    # after a step, too: nothing of the old gradients may remain
    optimizer.step()
    accumulate(wrapped, [whole], loss)
    first = gradients(wrapped)
    accumulate(wrapped, [whole], loss)
    for name, gradient in gradients(wrapped).items():
        torch.testing.assert_close(gradient, first[name])


def test_steps_equal_plain_adamw(toy_dir: Path, rows: Any) -> None:
    plain = build_policy(toy_dir)
    whole = batch(rows, plain.audio_patch_id)
    matrices = [p for p in plain.parameters() if p.dim() > 1]
    vectors = [p for p in plain.parameters() if p.dim() == 1]  # Megatron decays no biases and norms
    adam = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
        lr=OPTIMIZER.learning_rate,
        betas=(OPTIMIZER.beta1, OPTIMIZER.beta2),
        eps=1e-8,
    )
    wrapped, optimizer = wrap(build_policy(toy_dir), OPTIMIZER)
    for _ in range(3):
        adam.zero_grad()
        loss(plain(whole.tokens, whole.audio, whole.audio_index), whole)[0].backward()
        expected = torch.nn.utils.clip_grad_norm_(plain.parameters(), OPTIMIZER.clip_grad)
        adam.step()
        accumulate(wrapped, [whole], loss)
        done, norm, _ = optimizer.step()
        assert done
        assert norm == pytest.approx(float(expected), rel=1e-4)
    for (name, ours), theirs in zip(unwrap(wrapped).named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-4, rtol=1e-3, msg=name)


def test_a_frozen_encoder_does_not_move(toy_dir: Path, rows: Any) -> None:
    module = build_policy(toy_dir, freeze_encoder=True)
    assert module.audio is not None
    before = {name: p.clone() for name, p in module.named_parameters()}
    wrapped, optimizer = wrap(module, OPTIMIZER)
    accumulate(wrapped, [batch(rows, module.audio_patch_id)], loss)
    optimizer.step()
    moved = {name for name, p in module.named_parameters() if not torch.equal(p, before[name])}
    assert not any(name.startswith("audio.encoder.") for name in moved)
    assert "audio.adapter.linear2.weight" in moved
    held = sum(len(group["params"]) for group in optimizer.param_groups)
    assert held == sum(1 for name in before if not name.startswith("audio.encoder."))


def test_bf16_trains_on_fp32_master_weights(toy_dir: Path, rows: Any) -> None:
    wrapped, optimizer = wrap(build_policy(toy_dir, dtype=torch.bfloat16), OPTIMIZER)
    whole = batch(rows, unwrap(wrapped).audio_patch_id)
    seen = []
    for _ in range(4):
        seen.append(float(accumulate(wrapped, [whole], loss)[0]["loss"]))
        assert optimizer.step()[0]
    assert seen[-1] < seen[0]
    assert all(p.main_grad.dtype == torch.float32 for p in unwrap(wrapped).parameters())


def test_a_critic_trains(toy_dir: Path, rows: Any) -> None:
    wrapped, optimizer = wrap(build_policy(toy_dir, value_head=True), OPTIMIZER)
    whole = batch(rows, unwrap(wrapped).audio_patch_id)

    def squared(values: Tensor, _: Any) -> tuple[Tensor, dict[str, Tensor]]:
        error = (values - 0.5).square().mean()
        return error, {"loss": error.detach()}

    seen = []
    for _ in range(4):
        seen.append(float(accumulate(wrapped, [whole], squared)[0]["loss"]))
        optimizer.step()
    assert seen[-1] < seen[0] / 2


def test_forward_leaves_no_gradients(toy_dir: Path, rows: Any) -> None:
    module = build_policy(toy_dir)
    parts = [batch(rows, module.audio_patch_id, 0, 2), batch(rows, module.audio_patch_id, 2, 4)]
    answers = forward(module, parts, lambda output, micro: {"logprobs": response_logprobs(output, micro.tokens)})
    assert [tuple(answer["logprobs"].shape) for answer in answers] == [(2, SEQ), (2, SEQ)]
    assert all(p.grad is None for p in module.parameters())
