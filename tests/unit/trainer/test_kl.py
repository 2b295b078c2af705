import numpy as np
import pytest
import torch

from trainer.rl.kl import CLAMP, kl_loss_tokens, kl_tokens


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        ("k1", [0.5, -1.0, 0.0]),
        ("k2", [0.125, 0.5, 0.0]),
        ("k3", [np.exp(-0.5) - 1 + 0.5, np.e - 2, 0.0]),
    ],
)
def test_estimators(estimator, expected):
    policy = torch.tensor([[-1.0, -2.0, -3.0]], dtype=torch.float64)
    reference = torch.tensor([[-1.5, -1.0, -3.0]], dtype=torch.float64)
    np.testing.assert_allclose(kl_tokens(policy, reference, estimator).numpy(), [expected], atol=1e-12)


@pytest.mark.parametrize("estimator", ["k1", "k2", "k3"])
def test_the_same_policy_has_kl_exactly_zero(estimator):
    logprobs = -torch.rand(3, 7) * 20
    assert kl_tokens(logprobs, logprobs, estimator).eq(0).all()


@pytest.mark.parametrize("estimator", ["k1", "k2", "k3"])
@pytest.mark.parametrize("gap", [-7.9, -1e4, 1e4])
def test_estimates_and_slopes_are_clamped(estimator, gap):
    policy = torch.tensor([[gap]], requires_grad=True)
    value = kl_loss_tokens(policy, torch.zeros(1, 1), estimator)
    value.sum().backward()
    assert value.abs().item() <= CLAMP
    assert torch.isfinite(policy.grad).all() and policy.grad.abs().item() <= CLAMP


@pytest.mark.parametrize("estimator", ["k1", "k2", "k3"])
def test_the_loss_follows_the_gradient_of_the_kl(estimator):
    """Averaged over the policy's own samples, the gradient is that of the exact KL, whichever estimator is shown."""
    reference = torch.log_softmax(torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64), 0)
    logits = torch.tensor([0.1, 0.7, -0.4], dtype=torch.float64, requires_grad=True)
    policy = torch.log_softmax(logits, 0)
    (exact,) = torch.autograd.grad((policy.exp() * (policy - reference)).sum(), logits, retain_graph=True)
    sampled = (policy.exp().detach() * kl_loss_tokens(policy, reference, estimator)).sum()
    (estimate,) = torch.autograd.grad(sampled, logits)
    np.testing.assert_allclose(estimate.numpy(), exact.numpy(), atol=1e-12)
