"""Megatron's data parallelism, mixed-precision Adam and schedules around one module."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import torch
from megatron.core import parallel_state
from megatron.core.distributed import DistributedDataParallel, DistributedDataParallelConfig
from megatron.core.optimizer import (
    USING_PYTORCH_OPTIMIZER,
    MegatronOptimizer,
    OptimizerConfig,
    get_megatron_optimizer,
)
from megatron.core.pipeline_parallel import get_forward_backward_func
from torch import Tensor, nn

from earwitness.recipe.schema import Optimizer
from trainer.model.audio import AudioBatch
from trainer.model.names import slots
from trainer.model.packing import Segments
from trainer.model.policy import unwrap

ADAM_EPS = 1e-8


class Rows(Protocol):
    """What the model reads of a micro-batch."""

    @property
    def tokens(self) -> Tensor:
        """[batch, seq] int64, right padded or packed."""

    @property
    def audio(self) -> AudioBatch | None:
        """The distinct clips."""

    @property
    def audio_index(self) -> Tensor | None:
        """The clip of each row, or segment."""

    @property
    def segments(self) -> Segments | None:
        """Of rows packed one after another; None if they are padded."""


Batch = TypeVar("Batch", bound=Rows)


def wrap(
    module: nn.Module, config: Optimizer, *, distributed: bool = False
) -> tuple[DistributedDataParallel, MegatronOptimizer]:
    """The module under Megatron's DDP, and its Adam. The rate is `param_groups[i]["lr"]`; the caller schedules it.

    With `distributed`, replicas, if there are several, share Adam's state: each holds and updates its part.
    """
    distributed = distributed and parallel_state.get_data_parallel_world_size() > 1
    policy = unwrap(module)
    learning = [parameter.dtype for parameter in module.parameters() if parameter.requires_grad]
    dtype = torch.bfloat16 if torch.bfloat16 in learning else torch.float32
    for slot in slots(policy):
        # Megatron marks shards when it initialises weights, which it does not do here; the gradient norm counts an
        # unmarked parameter on one tensor-parallel rank only.
        slot.parameter.tensor_model_parallel = slot.cut != "whole"
    wrapped = DistributedDataParallel(
        policy.config,
        DistributedDataParallelConfig(
            grad_reduce_in_fp32=True, overlap_grad_reduce=False, use_distributed_optimizer=distributed
        ),
        module,
    )
    wrapped.broadcast_params()
    optimizer = get_megatron_optimizer(
        OptimizerConfig(
            optimizer="adam",
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            adam_beta1=config.beta1,
            adam_beta2=config.beta2,
            adam_eps=ADAM_EPS,
            clip_grad=config.clip_grad,
            bf16=dtype == torch.bfloat16,
            params_dtype=dtype,
            use_distributed_optimizer=distributed,
        ),
        [wrapped],
    )
    for group in optimizer.param_groups:
        # Biases and norms do not decay; Megatron leaves that to its rate scheduler, which is not used here.
        group["weight_decay"] *= group["wd_mult"]
        if USING_PYTORCH_OPTIMIZER:
            group["fused"] = True  # Adam in one pass, as Transformer Engine's: a loop over many tensors costs more
    return wrapped, optimizer


def accumulate(
    wrapped: DistributedDataParallel,
    micro_batches: Sequence[Batch],
    loss: Callable[[Any, Batch], tuple[Tensor, dict[str, Tensor]]],
) -> list[dict[str, Tensor]]:
    """Zeroes gradients, runs every micro-batch forward and backward, and sums the gradients over replicas.

    `loss` gets the model's output (States, or a critic's values) and the micro-batch and returns a scalar and figures
    to report; the scalar must be a sum over tokens divided by the *global* count, so that gradients do not depend on
    ranks or micro-batches. Returns the figures of each micro-batch on the last pipeline stage, nothing elsewhere.
    Follow with `optimizer.step()`, which returns (done, gradient norm before clipping, None).
    """
    wrapped.zero_grad_buffer()
    for parameter in wrapped.parameters():
        parameter.grad = None  # a step made it an alias of the buffer: autograd and then DDP would both add to it
    return _run(wrapped, micro_batches, loss, forward_only=False)


def forward(
    module: nn.Module, micro_batches: Sequence[Batch], measure: Callable[[Any, Batch], dict[str, Tensor]]
) -> list[dict[str, Tensor]]:
    """Runs every micro-batch without gradients; `measure` sees each output on the last pipeline stage."""

    def measured(output: Any, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        return torch.zeros((), device=batch.tokens.device), measure(output, batch)

    with torch.no_grad():
        return _run(module, micro_batches, measured, forward_only=True)


def _run(
    module: nn.Module, micro_batches: Sequence[Any], loss: Callable[[Any, Any], Any], *, forward_only: bool
) -> list[dict[str, Tensor]]:
    def step(batches: Any, model: nn.Module) -> tuple[Any, Callable[[Any], Any]]:
        batch = next(batches)

        def reduce(output: Any) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
            scalar, figures = loss(output, batch)
            # Three values: the schedule then leaves the scalar as it is. The count is not used (see decoder._finalize).
            return scalar, torch.zeros((), dtype=torch.int, device=scalar.device), figures

        return model(batch.tokens, batch.audio, batch.audio_index, batch.segments), reduce

    rows, columns = micro_batches[0].tokens.shape
    figures: list[dict[str, Tensor]] = get_forward_backward_func()(
        forward_step_func=step,
        data_iterator=iter(micro_batches),
        model=[module],
        num_microbatches=len(micro_batches),
        seq_length=columns,
        micro_batch_size=rows,
        forward_only=forward_only,
    )
    return figures
