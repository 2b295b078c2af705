"""A model and its optimizer: the policy, or the critic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from earwitness.recipe.schema import Optimizer
from trainer.checkpoint.pieces import Piece, Pieces
from trainer.checkpoint.state import pieces_of, restore
from trainer.errors import NonFiniteError
from trainer.figures import everywhere, first_bad_row
from trainer.model.optimizer import Rows, accumulate, wrap
from trainer.model.policy import PolicyModel

Loss = Callable[[Any, Any], tuple[Tensor, dict[str, Tensor]]]
"""From the model's output and the micro-batch to a scalar and figures, among them BAD_ROW."""


class Learner:
    """Takes optimizer steps on one model."""

    def __init__(
        self, module: PolicyModel, config: Optimizer, steps: int, *, distributed_optimizer: bool = False
    ) -> None:
        """`steps`: when the rate ends, if it falls. With `distributed_optimizer`, replicas share Adam's state."""
        self.model, self._optimizer = wrap(module, config, distributed=distributed_optimizer)
        self._config = config
        self._steps = steps

    def update(
        self, step: int, micro_batches: Sequence[Rows], loss: Loss, names: Sequence[str]
    ) -> tuple[list[dict[str, Tensor]], float]:
        """One optimizer step at the rate of `step` (from 1): figures per micro-batch, gradient norm before clipping.

        `names`: what errors call the rows, by their number.

        Raises NonFiniteError on all ranks, with nothing changed, if the loss of a row or a gradient is not finite.
        """
        figures = accumulate(self.model, micro_batches, loss)
        row = first_bad_row(figures)
        if row is not None:
            raise NonFiniteError("loss", names[row])
        if not everywhere(all(bool(torch.isfinite(b.grad_data.sum())) for b in self.model.buffers)):
            raise NonFiniteError("gradient", f"step {step}")
        rate = learning_rate(self._config, step, self._steps)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        _, norm, _ = self._optimizer.step()
        return figures, float(norm)

    def pieces(self, name: str) -> Iterator[Piece]:
        """This rank's weights and optimizer state, copied to the host, as the pieces of `name` in a checkpoint."""
        return pieces_of(name, self.model.module, self._optimizer)

    def restore(self, name: str, pieces: Pieces) -> None:
        """Takes over what `pieces` gave, bit by bit, at whatever layout it was written."""
        restore(name, self.model.module, self._optimizer, pieces)


def learning_rate(config: Optimizer, step: int, steps: int) -> float:
    """Rate of `step` (from 1): linear warm-up, then constant, or falling in a line that would meet 0 after `steps`."""
    if step <= config.warmup_steps:
        return config.learning_rate * step / config.warmup_steps
    if config.schedule == "constant":
        return config.learning_rate
    return config.learning_rate * (steps + 1 - step) / max(steps - config.warmup_steps, 1)
