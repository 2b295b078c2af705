"""Parameters that every tensor-parallel rank has whole: the listener, a value head, norms without sequence parallelism.

Ranks compute their gradients from the same numbers, but not to the bit: on GPUs, kernels add in an order of their own
(atomics of convolutions, index_add, embeddings). Without a word between them the copies would drift apart, update by
update, and only the first rank's is ever written down.
"""

from __future__ import annotations

import torch.distributed as dist
from megatron.core import parallel_state
from torch import nn


def average_replicated(module: nn.Module) -> None:
    """Makes each of their gradients the mean over the tensor-parallel group. Equal gradients of 2^n ranks stay as they
    are. Every rank calls it, after the backward pass, before replicas sum theirs.

    Not among them are norms under sequence parallelism, whose parts Megatron sums. Megatron's own way
    (`average_gradients_across_tp_domain`) asks for an operation that gloo does not have.
    """
    size = parallel_state.get_tensor_model_parallel_world_size()
    if size == 1:
        return
    group = parallel_state.get_tensor_model_parallel_group()
    for parameter in module.parameters():
        shared = parameter.tensor_model_parallel or getattr(parameter, "sequence_parallel", False)
        if parameter.requires_grad and not shared:
            dist.all_reduce(parameter.main_grad, group=group)
            parameter.main_grad.div_(size)
