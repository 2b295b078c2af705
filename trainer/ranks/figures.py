"""What the ranks measured, put together so that every rank knows it.

Losses exist on the last pipeline stage, and every tensor-parallel rank of it computes the same: one of them speaks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor

from trainer.ranks.parallel import device, is_last_stage, parallel_state

BAD_ROW = "bad_row"
"""Name of the figure made by `bad_row`."""

NO_ROW = 2**31
"""Stands for "every row is finite"; above any number of rows."""


def sums(figures: Sequence[dict[str, Tensor]], names: Sequence[str]) -> dict[str, float]:
    """Each named figure, added over micro-batches and replicas."""
    local = [sum((float(f[name]) for f in figures), 0.0) for name in names]
    return dict(zip(names, _over_world(local, dist.ReduceOp.SUM, silent=0.0), strict=True))


def maxima(figures: Sequence[dict[str, Tensor]], names: Sequence[str]) -> dict[str, float]:
    """The largest of each named figure (none is negative), over micro-batches and replicas."""
    local = [max((float(f[name]) for f in figures), default=0.0) for name in names]
    return dict(zip(names, _over_world(local, dist.ReduceOp.MAX, silent=0.0), strict=True))


def first_bad_row(figures: Sequence[dict[str, Tensor]]) -> int | None:
    """Smallest row number among figures made by `bad_row`; None if every row is finite."""
    local = min((float(f[BAD_ROW]) for f in figures), default=float(NO_ROW))
    (number,) = _over_world([local], dist.ReduceOp.MIN, silent=float(NO_ROW))
    return None if number >= NO_ROW else int(number)


def bad_row(values: Tensor, mask: Tensor, numbers: Tensor) -> Tensor:
    """Smallest number of a row that holds a value under the mask that is not finite; NO_ROW if none does. Scalar.

    values, mask: [rows, tokens]; numbers: [rows].
    """
    bad = (~torch.isfinite(values) & mask).any(dim=1)
    return torch.where(bad, numbers, NO_ROW).min()


def everywhere(fine: bool) -> bool:
    """True if it is true on every rank."""
    if dist.get_world_size() == 1:  # gloo's thread would hand the number to itself, in its turn on a busy machine
        return fine
    flag = torch.tensor([int(fine)], device=device())
    dist.all_reduce(flag, op=dist.ReduceOp.MIN)
    return bool(flag)


def _over_world(local: list[float], how: dist.ReduceOp, *, silent: float) -> list[float]:
    if dist.get_world_size() == 1:
        return local
    speaks = is_last_stage() and parallel_state.get_tensor_model_parallel_rank() == 0
    content = torch.tensor(local if speaks else [silent] * len(local), dtype=torch.float64, device=device())
    dist.all_reduce(content, op=how)
    return [float(value) for value in content]
