"""The decoder's norm on the CPU: torch's own, with a backward pass that is written out."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from earwitness.families.dims import DecoderDims
from trainer.model.decoder import transformer_config
from trainer.model.norm import RMSNorm, _Normed

DIMS = DecoderDims(256, 64, 1, 2, 2, 64, 512, 1e-6, 1e4)
EPS = 1e-5


@pytest.fixture
def norm() -> RMSNorm:
    made = RMSNorm(transformer_config(DIMS, torch.float32), 64, EPS)
    torch.nn.init.normal_(made.weight)
    return made


def theirs(norm: RMSNorm, x: Tensor) -> Tensor:
    return F.rms_norm(x, norm.weight.shape, norm.weight, EPS)


def test_it_is_torchs_to_the_bit(norm: RMSNorm) -> None:
    x = 3.0 * torch.randn(9, 2, 64)
    assert torch.equal(norm(x), theirs(norm, x))
    with torch.no_grad():
        assert torch.equal(norm(x), theirs(norm, x)), "a pass without gradients finds the same log-probs"


def test_gradients_are_torchs(norm: RMSNorm) -> None:
    x = torch.randn(9, 2, 64, requires_grad=True)
    slopes = torch.randn(9, 2, 64)
    ours, expected = (torch.autograd.grad(y, (x, norm.weight), slopes) for y in (norm(x), theirs(norm, x)))
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)


def test_gradients_are_the_slopes() -> None:
    x = torch.randn(3, 2, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, weight: _Normed.apply(x, weight, EPS), (x, weight))


@pytest.mark.parametrize("learns", ["x", "weight"])
def test_only_what_learns_has_a_gradient(norm: RMSNorm, learns: str) -> None:
    """Under LoRA norms are frozen, and the embedding ahead of the first of them."""
    x = torch.randn(9, 2, 64, requires_grad=learns == "x")
    norm.weight.requires_grad_(learns == "weight")
    norm(x).sum().backward()
    assert (x.grad is not None) == (learns == "x")
    assert (norm.weight.grad is not None) == (learns == "weight")
