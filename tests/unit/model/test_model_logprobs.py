"""Log-probs and entropy from hidden states against log_softmax in float64, values and gradients, cut or whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from trainer.model import logprobs as module
from trainer.model.logprobs import States, logprobs_and_entropy, place, response_logprobs, response_values

SEQ, BATCH, HIDDEN, VOCAB = 6, 3, 5, 19


@dataclass(frozen=True)
class Choices:
    mask: Tensor
    responses: Tensor
    before: Tensor


@pytest.fixture
def states() -> States:
    torch.manual_seed(1)
    hidden = (2 * torch.randn(SEQ, BATCH, HIDDEN)).requires_grad_()
    return States(hidden, (2 * torch.randn(VOCAB, HIDDEN)).requires_grad_())


@pytest.fixture
def choices() -> Choices:
    """Responses of 3, 0 and 2 tokens."""
    mask = torch.tensor([[True, True, True], [False, False, False], [True, True, False]])
    before = torch.tensor([1 * BATCH + 0, 2 * BATCH + 0, 3 * BATCH + 0, 0 * BATCH + 2, 1 * BATCH + 2])
    return Choices(mask, torch.tensor([4, 0, 18, 7, 7]), before)


def expected(states: States, choices: Choices, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """In float64 numpy, from the definition."""
    hidden = states.hidden.detach().double().numpy().reshape(-1, HIDDEN)[choices.before.numpy()]
    x = hidden @ states.weight.detach().double().numpy().T / temperature
    logs = x - np.log(np.exp(x).sum(1, keepdims=True))
    chosen = logs[np.arange(len(x)), choices.responses.numpy()]
    spread = -(np.exp(logs) * logs).sum(1)
    found = np.zeros((2, *choices.mask.shape))
    found[:, choices.mask.numpy()] = chosen, spread
    return found[0], found[1]


def gradients(states: States, total: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(total, [states.hidden, states.weight]))


@pytest.mark.parametrize("temperature", [1.0, 0.7, 2.0])
@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_values_are_those_of_the_definition(
    states: States, choices: Choices, temperature: float, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOGITS", at_once * VOCAB)
    chosen, spread = logprobs_and_entropy(states, choices, temperature)
    for ours, theirs in zip((chosen, spread), expected(states, choices, temperature), strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs, atol=1e-5)


@pytest.mark.parametrize("entropy", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("at_once", [2, 100])
def test_gradients_are_those_of_log_softmax(
    states: States, choices: Choices, temperature: float, at_once: int, entropy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOGITS", at_once * VOCAB)
    weights = torch.randn(2, *choices.mask.shape)
    chosen, spread = logprobs_and_entropy(states, choices, temperature, entropy=entropy)
    ours = gradients(states, (chosen * weights[0]).sum() + (spread * weights[1]).sum())
    logs = (states.hidden.flatten(0, 1)[choices.before] @ states.weight.T / temperature).log_softmax(-1)
    plain = (place(logs.gather(1, choices.responses[:, None]).squeeze(1), choices.mask) * weights[0]).sum()
    if entropy:
        plain = plain - (place((logs.exp() * logs).sum(1), choices.mask) * weights[1]).sum()
    for own, other in zip(ours, gradients(states, plain), strict=True):
        torch.testing.assert_close(own, other, atol=1e-5, rtol=1e-5)


def test_logits_beyond_the_range_of_exp_do_no_harm(states: States, choices: Choices) -> None:
    """Largest logits of about 3,000: exp overflows, and all other probabilities vanish."""
    far = States((100 * states.hidden).detach().requires_grad_(), states.weight)
    chosen, spread = logprobs_and_entropy(far, choices, 1.0)
    hidden = far.hidden.detach().double().flatten(0, 1)[choices.before]
    logs = (hidden @ far.weight.detach().double().T).log_softmax(-1).gather(1, choices.responses[:, None])
    torch.testing.assert_close(chosen[choices.mask].double(), logs.squeeze(1), atol=1e-3, rtol=1e-5)
    assert all(bool(g.isfinite().all()) for g in gradients(far, chosen.sum() + spread.sum()))


def test_what_was_not_asked_for_gets_no_gradient(states: States, choices: Choices) -> None:
    hidden, _ = gradients(states, logprobs_and_entropy(states, choices, 1.0)[0].sum())
    touched = hidden.flatten(0, 1).abs().sum(1).nonzero().flatten()
    assert sorted(touched.tolist()) == sorted(choices.before.tolist())


def test_no_response_at_all_gives_zero_gradients(states: States) -> None:
    none = Choices(torch.zeros(3, 1, dtype=torch.bool), torch.zeros(0, dtype=torch.int64), torch.zeros(0).long())
    chosen, _ = logprobs_and_entropy(states, none, 0.7)
    assert not chosen.any()
    assert not any(bool(g.any()) for g in gradients(states, chosen.sum()))


def test_every_token_of_padded_rows(states: States) -> None:
    tokens = torch.randint(VOCAB, (BATCH, SEQ))
    found = response_logprobs(states, tokens, 0.7)
    logs = (states.hidden @ states.weight.T / 0.7).log_softmax(-1).transpose(0, 1)[:, :-1]
    assert not found[:, 0].any()
    torch.testing.assert_close(found[:, 1:], logs.gather(-1, tokens[:, 1:, None]).squeeze(-1))


def test_bf16_states_give_fp32_logprobs_and_bf16_gradients(states: States, choices: Choices) -> None:
    half = States(
        states.hidden.detach().bfloat16().requires_grad_(), states.weight.detach().bfloat16().requires_grad_()
    )
    chosen, _ = logprobs_and_entropy(half, choices, 0.7)
    assert chosen.dtype == torch.float32
    # Logits of up to 20 in bf16 would be off by 2^-4.
    np.testing.assert_allclose(chosen.detach().numpy(), expected(half, choices, 0.7)[0], atol=1e-5)
    assert all(g.dtype == torch.bfloat16 for g in gradients(half, chosen.sum()))


def test_values_speak_of_the_state_before_the_token(choices: Choices) -> None:
    values = torch.arange(BATCH * SEQ, dtype=torch.float32).view(BATCH, SEQ)
    assert response_values(values, choices).tolist() == [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [12.0, 13.0, 0.0]]
