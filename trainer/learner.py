"""A model and its optimizer: the policy, or the critic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from earwitness.recipe.schema import Optimizer
from trainer.checkpoint.pieces import Piece, Pieces
from trainer.checkpoint.state import pieces_of, restore, restore_rng, rng_pieces
from trainer.errors import NonFiniteError
from trainer.model.lora import merge
from trainer.model.optimizer import Rows, accumulate, wrap
from trainer.model.policy import PolicyModel
from trainer.ranks.figures import everywhere, first_bad_row

Loss = Callable[[Any, Any], tuple[Tensor, dict[str, Tensor]]]
"""From the model's output and the micro-batch to a scalar and figures, among them BAD_ROW."""


class Learner:
    """Takes optimizer steps on one model."""

    def __init__(
        self, module: PolicyModel, config: Optimizer, planned: int, *, distributed_optimizer: bool = False
    ) -> None:
        """`planned`: updates until a falling rate ends. With `distributed_optimizer`, replicas share Adam's state."""
        self.model, self._optimizer = wrap(module, config, distributed=distributed_optimizer)
        self.updates = 0
        """Updates so far: what the rate depends on. A policy makes none while its critic warms up."""
        self._config = config
        self._planned = planned

    def update(
        self, micro_batches: Sequence[Rows], loss: Loss, names: Sequence[str]
    ) -> tuple[list[dict[str, Tensor]], float]:
        """One optimizer step, at the rate that is its turn: figures per micro-batch, gradient norm before clipping.

        `names`: what errors call the rows, by their number.

        Raises NonFiniteError on all ranks, with nothing changed, if the loss of a row or a gradient is not finite.
        """
        figures = accumulate(self.model, micro_batches, loss)
        row = first_bad_row(figures)
        if row is not None:
            raise NonFiniteError("loss", names[row])
        if not everywhere(all(bool(torch.isfinite(b.grad_data.sum())) for b in self.model.buffers)):
            raise NonFiniteError("gradient", f"update {self.updates + 1}")
        rate = learning_rate(self._config, self.updates + 1, self._planned)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        _, norm, _ = self._optimizer.step()
        merge(self.model.module)
        self.updates += 1
        return figures, float(norm)

    def pieces(self, name: str) -> Iterator[Piece]:
        """This rank's weights and optimizer state, copied to the host, as the pieces of `name` in a checkpoint."""
        return pieces_of(name, self.model.module, self._optimizer, self.updates)

    def restore(self, name: str, pieces: Pieces) -> None:
        """Takes over what `pieces` gave, bit by bit, at whatever layout it was written."""
        self.updates = restore(name, self.model.module, self._optimizer, pieces)
        merge(self.model.module)


@dataclass(frozen=True)
class Learners:
    """Those of a phase: what a checkpoint holds."""

    policy: Learner
    critic: Learner | None = None

    def pieces(self) -> list[Piece]:
        """This rank's, its random state included."""
        return [*(piece for name, learner in self._named() for piece in learner.pieces(name)), *rng_pieces()]

    def restore(self, pieces: Pieces) -> None:
        """Takes over what `pieces` gave, bit by bit."""
        for name, learner in self._named():
            learner.restore(name, pieces)
        restore_rng(pieces)

    def _named(self) -> list[tuple[str, Learner]]:
        return [("policy", self.policy), *([("critic", self.critic)] if self.critic is not None else [])]


def learning_rate(config: Optimizer, update: int, planned: int) -> float:
    """Rate of `update` (from 1): linear warm-up, then constant, or a line that would meet 0 after `planned` updates."""
    if update <= config.warmup_steps:
        return config.learning_rate * update / config.warmup_steps
    if config.schedule == "constant":
        return config.learning_rate
    return config.learning_rate * (planned + 1 - update) / max(planned - config.warmup_steps, 1)
