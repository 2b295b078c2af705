"""Megatron-core on a machine without CUDA: what it asks of "cuda" is answered by the CPU.

Megatron names the device "cuda" in many places and asserts CUDA tensor types. `enable()` redirects exactly those
requests, for this process. It is never called where CUDA is available.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch

FACTORIES = ("empty", "full", "ones", "tensor", "zeros", "arange")
"""Functions of torch that Megatron calls with `device="cuda"`."""


def enable() -> None:
    """Maps CUDA requests to the CPU; calling it again changes nothing."""
    if torch.cuda.is_available():
        raise RuntimeError("CUDA is available: the CPU mapping would hide it")
    if getattr(torch.cuda.current_device, "answers_cpu", False):
        return
    for name in FACTORIES:
        setattr(torch, name, _on_cpu(getattr(torch, name)))
    torch.Tensor.to = _on_cpu(torch.Tensor.to)
    torch.Tensor.cuda = _stay
    torch.Tensor.type = _cuda_type_name(torch.Tensor.type)
    torch.cuda.current_device = _current_device
    torch.cuda.synchronize = _nothing
    torch.cuda.FloatTensor = torch.FloatTensor
    # No dropout and initialisation from files: Megatron's per-rank CUDA random streams have nothing to do here.
    from megatron.core.tensor_parallel import random

    random._get_cuda_rng_state = _no_state
    random._set_cuda_rng_state = _nothing
    random._CUDA_RNG_STATE_TRACKER = _NoRngTracker()
    random._CUDA_RNG_STATE_TRACKER_INITIALIZED = True


def _current_device() -> torch.device:
    return torch.device("cpu")


setattr(_current_device, "answers_cpu", True)  # noqa: B010


def _nothing(*_args: Any, **_kwargs: Any) -> None:
    return None


def _no_state(*_args: Any, **_kwargs: Any) -> torch.Tensor:
    return torch.empty(0, dtype=torch.uint8)


def _stay(tensor: torch.Tensor, *_args: Any, **_kwargs: Any) -> torch.Tensor:
    return tensor


def _names_cuda(value: object) -> bool:
    return (isinstance(value, str) and value.startswith("cuda")) or (
        isinstance(value, torch.device) and value.type == "cuda"
    )


def _on_cpu(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with every "cuda" among its arguments replaced by "cpu"."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if _names_cuda(kwargs.get("device")):
            kwargs["device"] = "cpu"
        return function(*("cpu" if _names_cuda(arg) else arg for arg in args), **kwargs)

    return call


def _cuda_type_name(function: Callable[..., Any]) -> Callable[..., Any]:
    """`Tensor.type()` that says "torch.cuda.FloatTensor", which Megatron's gradient clipping asserts."""

    @functools.wraps(function)
    def call(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        answer = function(tensor, *args, **kwargs)
        return answer.replace("torch.", "torch.cuda.", 1) if isinstance(answer, str) else answer

    return call


class _NoRngTracker:
    """Stands for Megatron's tracker of CUDA random states."""

    def reset(self) -> None:
        """Nothing to reset."""

    def add(self, name: str, seed: int) -> None:
        """Nothing to add."""

    def is_initialized(self) -> bool:
        """Always ready."""
        return True

    def get_states(self) -> dict[str, torch.Tensor]:
        """No states."""
        return {}

    def set_states(self, states: dict[str, torch.Tensor]) -> None:
        """Nothing to set."""

    @contextlib.contextmanager
    def fork(self, name: str = "") -> Iterator[None]:
        """Runs the block under the CPU's own random state."""
        del name
        yield
