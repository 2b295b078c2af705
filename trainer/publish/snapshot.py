"""Each rank's share of the weights, copied to host memory in Hugging Face names and shapes.

All ranks that hold a parameter share the work: of a pipeline stage's parameters each of its ranks, replicas included,
owns about the same number of bytes. An owner gathers the shards of its own tensor-parallel group and keeps the whole.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from megatron.core import parallel_state
from torch import Tensor

from earwitness.weights import Tensor as Published
from trainer.model.names import written
from trainer.model.policy import PolicyModel, unwrap
from trainer.ranks.parallel import tensor_parallel_place

Owner = tuple[int, int]
"""(data-parallel rank, tensor-parallel rank) in a pipeline stage."""


class Snapshot:
    """Takes copies of a model's weights, in two sets of memory that live as long as it does.

    The one set holds what was committed last, which the next version is compared with; the other is written to.
    """

    def __init__(self) -> None:
        self._free: dict[str, Tensor] = {}
        self._committed: dict[str, Tensor] = {}

    def take(self, module: PolicyModel) -> list[Published]:
        """This rank's tensors, to be published. Every rank calls it; after it the parameters may change."""
        taken: list[Published] = []
        for name, tensor in _owned(module):
            held = self._free.get(name)
            if held is None or (held.dtype, held.shape) != (tensor.dtype, tensor.shape):
                held = self._free[name] = torch.empty_like(tensor, device="cpu", memory_format=torch.contiguous_format)
            held.copy_(tensor)
            taken.append((name, str(held.dtype).removeprefix("torch."), tuple(held.shape), _raw(held)))
        return taken

    def settle(self, *, committed: bool) -> None:
        """Says whether what was taken last became the version; if not, its memory is written to again."""
        if committed:
            self._free, self._committed = self._committed, self._free


def owners(sizes: list[int], replicas: int, tensor_parallel: int) -> list[Owner]:
    """Who owns each of a stage's parameters, given their sizes: the largest first, to whoever has least."""
    loads: dict[Owner, int] = {(d, t): 0 for d in range(replicas) for t in range(tensor_parallel)}
    chosen: dict[int, Owner] = {}
    for index in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        owner = min(loads, key=lambda o: loads[o])
        loads[owner] += sizes[index]
        chosen[index] = owner
    return [chosen[index] for index in range(len(sizes))]


def _owned(module: PolicyModel) -> Iterator[tuple[str, Tensor]]:
    """(name, full tensor) of what this rank owns; a tensor may be the parameter itself."""
    replica = parallel_state.get_data_parallel_rank()
    _, size = tensor_parallel_place()
    found = list(written(unwrap(module)))
    share = owners([slot.parameter.nbytes for slot in found], parallel_state.get_data_parallel_world_size(), size)
    for slot, owner in zip(found, share, strict=True):
        if owner[0] == replica and (shards := slot.gathered(owner[1])):
            yield from zip(slot.names, slot.join(shards), strict=True)


def _raw(tensor: Tensor) -> np.ndarray:
    content: np.ndarray = tensor.flatten().view(torch.uint8).numpy()
    return content
