"""Log-probs and entropy against log_softmax, values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from trainer.model.logprobs import entropy, response_logprobs, response_values


@pytest.fixture
def logits() -> Tensor:
    torch.manual_seed(1)
    return (4 * torch.randn(2, 7, 19)).requires_grad_()


@pytest.mark.parametrize("temperature", [1.0, 0.7, 2.0])
def test_logprobs_are_those_of_log_softmax(logits: Tensor, temperature: float) -> None:
    tokens = torch.randint(19, (2, 7))
    weights = torch.randn(2, 7)
    ours = response_logprobs(logits, tokens, temperature)
    (ours * weights).sum().backward()
    assert logits.grad is not None
    gradient, logits.grad = logits.grad, None
    full = (logits / temperature).log_softmax(-1)[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1)
    (full * weights[:, 1:]).sum().backward()
    assert not ours[:, 0].any()
    torch.testing.assert_close(ours[:, 1:], full)
    torch.testing.assert_close(gradient, logits.grad)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_entropy_is_that_of_the_softmax(logits: Tensor, temperature: float) -> None:
    weights = torch.randn(2, 7)
    ours = entropy(logits, temperature)
    (ours * weights).sum().backward()
    assert logits.grad is not None
    gradient, logits.grad = logits.grad, None
    full = torch.distributions.Categorical(logits=logits / temperature).entropy()[:, :-1]
    (full * weights[:, 1:]).sum().backward()
    assert not ours[:, 0].any()
    torch.testing.assert_close(ours[:, 1:], full)
    torch.testing.assert_close(gradient, logits.grad)


def test_bf16_logits_give_fp32_logprobs_and_bf16_gradients(logits: Tensor) -> None:
    half = logits.detach().bfloat16().requires_grad_()
    tokens = torch.randint(19, (2, 7))
    ours = response_logprobs(half, tokens, 0.7)
    exact = response_logprobs(half.detach().float(), tokens, 0.7)
    torch.testing.assert_close(ours, exact)
    ours.sum().backward()
    assert half.grad is not None
    assert half.grad.dtype == torch.bfloat16


def test_values_speak_of_the_state_before_the_token() -> None:
    assert response_values(torch.tensor([[1.0, 2.0, 3.0]])).tolist() == [[0.0, 1.0, 2.0]]
