"""Whether rollout and trainer are one policy: on a probe batch, before anything is learned from it.

The probe is the batch of the first step after a start. The trainer has changed nothing yet, and the workers generated
all of it with the version that it published as it began, so every token must have the log-prob that the trainer gives
it, up to rounding. A mistake in a kernel, a tokenizer, a mel or a weight that did not arrive shows here, and not as a
policy that quietly gets worse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist

from trainer.errors import IdentityError
from trainer.ranks.parallel import device, is_last_stage, parallel_state
from trainer.rl.experience import Experience

GAP_BOUNDS = {torch.float32: 1e-3, torch.bfloat16: 0.1}
TF32_BOUND = 0.01
"""Largest mean |trainer - rollout log-prob| where the recipe names none, by the type of the weights; of fp32 on a GPU
the second, for there Transformer Engine multiplies in TF32. Three to four times what `benchmarks/precision.py` finds
with 24 layers (bf16 0.034, TF32 0.0026), for rounding adds up with depth; fp32 gave 2e-6."""

NOWHERE = float(2**53)
"""Stands for "no token differs"; above any place."""

LONGEST = 2**24
"""More than the tokens of any response: row · LONGEST + position orders tokens, and fp64 holds it exactly."""


@dataclass(frozen=True)
class DifferingToken:
    """The first token, by row and position, whose own gap is beyond the bound."""

    row: int
    """Number of its row within the step."""
    position: int
    """Within the response, from 0."""
    token_id: int
    trainer: float
    """Log-prob."""
    rollout: float
    """Log-prob."""


class ParityError(IdentityError):
    """The rollout workers' log-probs are not the trainer's."""

    def __init__(self, gap: float, bound: float, trajectory: str, token: DifferingToken, text: str) -> None:
        super().__init__(
            f"rollout and trainer are not the same policy: mean |trainer - rollout log-prob| of the first batch is "
            f"{gap:.3g}; expected at most logprob_gap_bound = {bound:g}. The first token that differs: {trajectory}, "
            f"token {token.position} of its response, id {token.token_id} {text!r}: trainer {token.trainer:.4f}, "
            f"rollout {token.rollout:.4f}"
        )
        self.gap = gap
        self.bound = bound
        self.trajectory = trajectory
        self.token = token
        self.text = text


def gap_bound(dtype: torch.dtype) -> float:
    """The bound of this rank's device where the recipe names none."""
    return TF32_BOUND if dtype == torch.float32 and device().type == "cuda" else GAP_BOUNDS[dtype]


def check_parity(
    experiences: Sequence[Experience], gap: float, bound: float, names: Sequence[str], text_of: Callable[[int], str]
) -> None:
    """Raises ParityError if the mean `gap` of the batch is beyond `bound`. Every rank calls it, with its experiences.

    `names`: what errors call the rows; `text_of`: a token id as people read it.
    """
    if gap <= bound:
        return
    token = first_differing(experiences, bound)
    assert token is not None, "a mean is not above all its numbers"
    raise ParityError(gap, bound, names[token.row], token, text_of(token.token_id))


def first_differing(experiences: Sequence[Experience], bound: float) -> DifferingToken | None:
    """The first token over all ranks whose |trainer - rollout log-prob| is above `bound`; None if there is none."""
    # On each tensor-parallel rank of the last pipeline stage is the same: one of them speaks.
    speaks = is_last_stage() and parallel_state.get_tensor_model_parallel_rank() == 0
    found = [token for e in experiences if (token := _first(e, bound)) is not None] if speaks else []
    own = min(found, key=_place, default=None)
    first = torch.tensor([_place(own) if own else NOWHERE], dtype=torch.float64, device=device())
    dist.all_reduce(first, op=dist.ReduceOp.MIN)
    if float(first) == NOWHERE:
        return None
    told = [own.token_id, own.trainer, own.rollout] if own and _place(own) == float(first) else [0.0] * 3
    values = torch.tensor(told, dtype=torch.float64, device=device())
    dist.all_reduce(values)
    row, position = divmod(int(first), LONGEST)
    return DifferingToken(row, position, int(values[0]), float(values[1]), float(values[2]))


def _place(token: DifferingToken) -> float:
    return float(token.row * LONGEST + token.position)


def _first(e: Experience, bound: float) -> DifferingToken | None:
    assert e.old_logprobs is not None, "they are recalled before parity is checked"
    apart = ((e.old_logprobs - e.rollout_logprobs).abs() > bound) & e.mask
    if not bool(apart.any()):
        return None
    rows, positions = torch.nonzero(apart, as_tuple=True)
    chosen = int((e.batch.numbers[rows] * LONGEST + positions).argmin())
    row, position = rows[chosen], positions[chosen]
    ids = torch.zeros_like(e.mask, dtype=torch.int64).masked_scatter(e.mask, e.batch.responses)
    return DifferingToken(
        int(e.batch.numbers[row]),
        int(position),
        int(ids[row, position]),
        float(e.old_logprobs[row, position]),
        float(e.rollout_logprobs[row, position]),
    )
