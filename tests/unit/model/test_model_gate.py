"""The decoder's gate on the CPU: what autograd makes of its formula, to the bit."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from earwitness.families.dims import DecoderDims
from trainer.model.decoder import transformer_config
from trainer.model.gate import SwiGlu

DIMS = DecoderDims(256, 64, 1, 2, 2, 64, 512, 1e-6, 1e4)


@pytest.fixture
def swiglu() -> SwiGlu:
    return SwiGlu(transformer_config(DIMS, torch.float32))


def formula(x: Tensor) -> Tensor:
    gate, up = x.chunk(2, -1)
    return F.silu(gate) * up


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_output_and_gradient_are_autograds(swiglu: SwiGlu, dtype: torch.dtype) -> None:
    x = torch.randn(5, 3, 48, dtype=dtype, requires_grad=True)
    weights = torch.randn(5, 3, 24, dtype=dtype)
    assert torch.equal(swiglu(x), formula(x))
    (ours,), (theirs,) = (torch.autograd.grad(of(x), x, weights) for of in (swiglu, formula))
    assert torch.equal(ours, theirs)


def test_gradient_is_the_slope(swiglu: SwiGlu) -> None:
    x = torch.randn(4, 10, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(swiglu, (x,))


def test_nothing_is_kept_without_gradients(swiglu: SwiGlu) -> None:
    with torch.no_grad():
        assert swiglu(torch.randn(4, 10)).grad_fn is None
