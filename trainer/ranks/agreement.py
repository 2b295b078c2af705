"""Ranks fail together or not at all: one that raised alone would leave the others waiting in a collective."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch
import torch.distributed as dist

from earwitness.errors import EarwitnessError
from trainer.errors import TrainingError
from trainer.ranks.parallel import broadcast_bytes, device

P = ParamSpec("P")
T = TypeVar("T")


def agree(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Calls `work`, which must not communicate, on every rank. If it fails on any, every rank raises.

    The ranks where it failed raise their own error, the others TrainingError with the words of the first of those.
    """
    result: T
    error: EarwitnessError | None = None
    try:
        result = work(*args, **kwargs)
    except EarwitnessError as caught:
        error = caught
    world = dist.get_world_size()
    if world > 1:
        failed = torch.tensor([dist.get_rank() if error is not None else world], device=device())
        dist.all_reduce(failed, op=dist.ReduceOp.MIN)
        first = int(failed)
        if first < world:
            words = broadcast_bytes(str(error).encode() if dist.get_rank() == first else None, src=first).decode()
            raise error or TrainingError(f"rank {first}: {words}")
    if error is not None:
        raise error
    return result
