"""A model and its optimizer: the policy, or the critic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from earwitness.recipe.schema import Optimizer
from trainer.errors import CheckpointError, NonFiniteError
from trainer.figures import everywhere, first_bad_row
from trainer.model.optimizer import Rows, accumulate, wrap
from trainer.model.policy import PolicyModel
from trainer.parallel import parallel_state

Loss = Callable[[Tensor, Any], tuple[Tensor, dict[str, Tensor]]]
"""From the model's output and the micro-batch to a scalar and figures, among them BAD_ROW."""


class Learner:
    """Takes optimizer steps on one model."""

    def __init__(self, module: PolicyModel, config: Optimizer, steps: int) -> None:
        self.model, self._optimizer = wrap(module, config)
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

    def state(self) -> dict[str, Any]:
        """This rank's weights and optimizer state."""
        weights = {k: v for k, v in self.model.module.state_dict().items() if isinstance(v, Tensor)}
        return {"weights": weights, "optimizer": self._optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over what `state` gave, bit by bit."""
        missing, unexpected = self.model.module.load_state_dict(state["weights"], strict=False)
        missing = [name for name in missing if not name.endswith("_extra_state")]  # Transformer Engine's: FP8 only
        if missing or unexpected:
            raise CheckpointError("weights", f"missing {missing}, unexpected {unexpected}")
        self._optimizer.load_state_dict(state["optimizer"])


def learning_rate(config: Optimizer, step: int, steps: int) -> float:
    """Rate of `step` (from 1): linear warm-up, then constant, or falling in a line that would meet 0 after `steps`."""
    if step <= config.warmup_steps:
        return config.learning_rate * step / config.warmup_steps
    if config.schedule == "constant":
        return config.learning_rate
    return config.learning_rate * (steps + 1 - step) / max(steps - config.warmup_steps, 1)


def shard_name() -> str | None:
    """Name of this rank's part of a checkpoint; None if another replica holds the same."""
    if parallel_state.get_data_parallel_rank() != 0:
        return None
    return shard_to_load()


def shard_to_load() -> str:
    """Name of the part of a checkpoint that this rank starts from."""
    tensor = parallel_state.get_tensor_model_parallel_rank()
    return f"tp{tensor}-pp{parallel_state.get_pipeline_model_parallel_rank()}"
