"""LoRA (https://arxiv.org/abs/2106.09685): beside each chosen matrix W of the decoder, A and B learn, and nothing else.

The layer multiplies with W + s B A, s = alpha / rank, rounded to the policy's type: with the very matrix that is
published. So trainer and rollout stay one policy, whatever the type; beside a W in bf16 most of a young s B A is less
than half a step of its numbers, and a trainer that computed with both apart would be another policy than the one that
workers sample from. Gradients are those of (W + s B A) x without rounding. A and B are fp32.

Tensor parallelism cuts them as it cuts W: a matrix cut by rows has A whole and B cut, one cut by columns A cut and B
whole. Queries, keys and values share one A, as do gate and up: Megatron holds each as one matrix.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
import xxhash
from megatron.core.tensor_parallel import (
    copy_to_tensor_model_parallel_region,
    gather_from_sequence_parallel_region,
    reduce_from_tensor_model_parallel_region,
    reduce_scatter_to_sequence_parallel_region,
)
from megatron.core.transformer import TransformerConfig
from torch import Tensor, nn

from earwitness.recipe.schema import Lora
from trainer.model.attention import is_fused
from trainer.model.names import slots
from trainer.model.policy import PolicyModel
from trainer.ranks.parallel import tensor_parallel_place

BY_COLUMNS = ("linear_proj", "linear_fc2")
"""Megatron's matrices that are cut by columns; the others are cut by rows."""
ATTENTION, MLP = ("linear_qkv", "linear_proj"), ("linear_fc1", "linear_fc2")
LAYERS = {"attention": ATTENTION, "mlp": MLP, "all": ATTENTION + MLP}
"""Its names of the matrices by target."""


def add_lora(module: PolicyModel, lora: Lora, seed: int) -> None:
    """Freezes the model, but for a critic's value head, and puts A, random by `seed`, and B, zero, beside its matrices.

    What they are is the same at any layout. Called when the weights are loaded; all of them then belong to W.
    """
    module.requires_grad_(False)
    if module.value_head and module.post_process:
        module.language_model.output_layer.requires_grad_(True)
    names = {id(slot.parameter): slot.names[0] for slot in slots(module)}
    for path, layer in list(module.language_model.decoder.named_modules()):
        if path.endswith(LAYERS[lora.targets]):
            by_columns = path.endswith(BY_COLUMNS)
            low = LowRank(layer, lora, f"{seed} {names[id(layer.weight)]}", module.config, by_columns=by_columns)
            layer.add_module("lora", low)
            layer.register_forward_hook(low.learn)


def merge(module: PolicyModel) -> None:
    """Makes each matrix W + s B A of what A and B now are. Every update ends with it; without LoRA it does nothing."""
    for layer, low in _adapted(module):
        with torch.no_grad():
            layer.weight.copy_(low.merged())


class LowRank(nn.Module):
    """A and B of one matrix of this rank."""

    def __init__(self, layer: nn.Module, lora: Lora, seed: str, config: TransformerConfig, *, by_columns: bool) -> None:
        """`seed`: says which random numbers A holds."""
        super().__init__()
        rows, columns = layer.weight.shape
        rank, size = tensor_parallel_place()
        whole = columns * size if by_columns else columns
        generator = torch.Generator().manual_seed(xxhash.xxh3_64_intdigest(seed.encode()) >> 1)
        # as PEFT's: uniform, of variance 1 / (3 · inputs)
        drawn = torch.empty(lora.rank, whole).uniform_(-1, 1, generator=generator) / math.sqrt(whole)
        if by_columns:
            drawn = drawn[:, rank * columns : (rank + 1) * columns]
        where = layer.weight.device
        self.down = nn.Parameter(drawn.contiguous().to(where))
        """A, [rank, columns]."""
        self.up = nn.Parameter(torch.zeros(rows, lora.rank, device=where))
        """B, [rows, rank]."""
        self.base = layer.weight.detach().clone()
        """W. [rows, columns]"""
        self.scale = lora.alpha / lora.rank
        self._by_columns = by_columns
        self._sequence = config.sequence_parallel
        # Whole on each rank and met by a part of the sequence: Megatron sums the gradients of parameters marked so.
        (self.up if by_columns else self.down).sequence_parallel = self._sequence
        self._eps = config.layernorm_epsilon

    def merged(self) -> Tensor:
        """W + s B A in fp32."""
        return torch.addmm(self.base.float(), self.up, self.down, alpha=self.scale)

    def learn(self, layer: nn.Module, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor | None]) -> object:
        """A forward hook: the output as it is, whose gradient A and B now learn from. The input's gradient is the
        layer's own, for its matrix holds s B A already."""
        if not torch.is_grad_enabled():
            return output
        x = inputs[0].detach()
        if is_fused() and not self._by_columns:  # Transformer Engine's layer norms its input itself
            x = F.rms_norm(x, x.shape[-1:], layer.layer_norm_weight, self._eps)
        product, bias = output
        low = self._product(x)
        return product + (low - low.detach()), bias

    def _product(self, x: Tensor) -> Tensor:
        """s B A x, [seq, batch, rows], as the layer's own output is cut. x: [seq, batch, columns], as its input is."""
        inner = F.linear(x, self.down.to(x.dtype))
        if self._by_columns:
            over = (
                reduce_scatter_to_sequence_parallel_region
                if self._sequence
                else reduce_from_tensor_model_parallel_region
            )
        else:
            over = gather_from_sequence_parallel_region if self._sequence else copy_to_tensor_model_parallel_region
        return F.linear(over(inner), (self.scale * self.up).to(x.dtype))


def _adapted(module: nn.Module) -> Iterator[tuple[nn.Module, LowRank]]:
    """Layers that have A and B."""
    for layer in module.modules():
        low = getattr(layer, "lora", None)
        if isinstance(low, LowRank):
            yield layer, low
