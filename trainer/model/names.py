"""Which Hugging Face tensors make up which parameter of this rank, and how tensor parallelism cuts them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn

from earwitness.families.dims import DecoderDims
from trainer.model.policy import PolicyModel
from trainer.ranks.parallel import parallel_state, tensor_parallel_place

Cut = Literal["whole", "rows", "columns", "qkv", "gate_up"]
"""How a rank's shard comes from the full tensors: replicated, by rows, by columns, or by rows of several tensors."""

_LAYER = re.compile(r"^language_model\.decoder\.layers\.(\d+)\.(.+)$")
_LAYER_NAMES: dict[str, tuple[Cut, tuple[str, ...]]] = {
    "self_attention.linear_qkv.weight": ("qkv", tuple(f"self_attn.{p}_proj.weight" for p in "qkv")),
    "self_attention.linear_qkv.bias": ("qkv", tuple(f"self_attn.{p}_proj.bias" for p in "qkv")),
    "self_attention.linear_proj.weight": ("columns", ("self_attn.o_proj.weight",)),
    "self_attention.q_layernorm.weight": ("whole", ("self_attn.q_norm.weight",)),
    "self_attention.k_layernorm.weight": ("whole", ("self_attn.k_norm.weight",)),
    "mlp.linear_fc1.weight": ("gate_up", ("mlp.gate_proj.weight", "mlp.up_proj.weight")),
    "mlp.linear_fc2.weight": ("columns", ("mlp.down_proj.weight",)),
    "input_layernorm.weight": ("whole", ("input_layernorm.weight",)),
    "pre_mlp_layernorm.weight": ("whole", ("post_attention_layernorm.weight",)),
    # Transformer Engine keeps each norm with the linear layer that follows it.
    "self_attention.linear_qkv.layer_norm_weight": ("whole", ("input_layernorm.weight",)),
    "mlp.linear_fc1.layer_norm_weight": ("whole", ("post_attention_layernorm.weight",)),
}
_EMBEDDING = "language_model.embedding.word_embeddings.weight"
_OUTPUT = "language_model.output_layer.weight"
_OTHER_NAMES: dict[str, tuple[Cut, tuple[str, ...]]] = {
    _EMBEDDING: ("rows", ("model.embed_tokens.weight",)),
    "language_model.decoder.final_layernorm.weight": ("whole", ("model.norm.weight",)),
}


@dataclass(frozen=True)
class StoredPart:
    """A part of a stored tensor that belongs to this rank. Tensors are seen as [first dimension, all others]."""

    name: str
    rows: tuple[int, int]
    """First row, and the one after the last."""
    columns: tuple[int, int] | None
    """The same for columns; None for all."""
    target: Tensor
    """Where it goes: the rows, and of them the columns, in the tensor's own shape."""


@dataclass(frozen=True)
class Slot:
    """One parameter of this rank and the full tensors it is cut from."""

    parameter: nn.Parameter
    names: tuple[str, ...]
    cut: Cut
    decoder: DecoderDims
    copy: bool = False
    """Whether it is the last stage's copy of the embedding, which the first stage writes down."""
    lora: bool = False
    """Whether it stands beside a matrix: no tensor of the model, but of an adapter."""

    def pieces(self, target: Tensor, rank: int, size: int) -> list[StoredPart]:
        """What `rank` of `size` needs of each full tensor, and where in `target`, of the parameter's shape, it goes.

        Rows that pad the vocabulary are nobody's: no piece covers them.
        """
        if self.cut == "whole":
            return [StoredPart(self.names[0], (0, target.shape[0]), None, target)]
        if self.cut == "columns":
            width = target.shape[1]
            return [StoredPart(self.names[0], (0, target.shape[0]), (rank * width, (rank + 1) * width), target)]
        if self.cut == "rows":
            first = rank * len(target)
            last = min(first + len(target), self.decoder.vocab_size)
            return [StoredPart(self.names[0], (first, last), None, target[: last - first])]
        if self.cut == "gate_up":
            rows = len(target) // 2
            span = (rank * rows, (rank + 1) * rows)
            return [StoredPart(name, span, None, half) for name, half in zip(self.names, target.chunk(2), strict=True)]
        # Megatron's rows: for each group its queries, its key, its value; ranks hold whole groups.
        found, at = [], 0
        groups = self.decoder.kv_heads // size
        for group in range(rank * groups, (rank + 1) * groups):
            for name, rows in zip(self.names, self._group_rows(), strict=True):
                found.append(StoredPart(name, (group * rows, (group + 1) * rows), None, target[at : at + rows]))
                at += rows
        return found

    def gathered(self, owner: int) -> list[Tensor]:
        """All shards on the owner among the tensor-parallel ranks, which all call it; nothing elsewhere."""
        rank, size = tensor_parallel_place()
        shard = self.parameter.detach()
        if size == 1 or self.cut == "whole":
            return [shard] if rank == owner else []
        group = parallel_state.get_tensor_model_parallel_group()
        shards = [torch.empty_like(shard) for _ in range(size)] if rank == owner else []
        dist.gather(shard.contiguous(), shards or None, dst=dist.get_global_rank(group, owner), group=group)
        return shards

    def join(self, shards: list[Tensor]) -> list[Tensor]:
        """The full tensors from all ranks' shards, without rows that pad the vocabulary: the inverse of `pieces`."""
        if self.cut == "whole":
            return [shards[0]]
        if self.cut == "columns":
            return [torch.cat(shards, dim=1)]
        if self.cut == "rows":
            return [torch.cat(shards)[: self.decoder.vocab_size]]
        if self.cut == "gate_up":
            halves = [shard.chunk(2) for shard in shards]
            return [torch.cat([half[part] for half in halves]) for part in (0, 1)]
        grouped = torch.cat(shards).unflatten(0, (self.decoder.kv_heads, -1))
        return [part.flatten(0, 1) for part in grouped.split(self._group_rows(), dim=1)]

    def _group_rows(self) -> list[int]:
        """Rows of a group's queries, key and value."""
        head = self.decoder.head_size
        return [self.decoder.heads // self.decoder.kv_heads * head, head, head]


def slots(module: PolicyModel) -> Iterator[Slot]:
    """Every parameter of this rank, in the order of the module, with the names in its family's checkpoints."""
    architecture = module.architecture
    first = module.language_model.decoder.layers[0].layer_number - 1
    for name, parameter in module.named_parameters():
        copy = module.share_embeddings_and_output_weights and name == _OUTPUT
        matrix, _, lora = name.partition(".lora.")
        named = _EMBEDDING if copy else f"{matrix}.weight" if lora else name
        cut, names = _names(named, first, module.value_head)
        if lora:
            cut, names = _of_lora(lora, cut, names)
        published = tuple(architecture.family.names.published(n) for n in names)
        yield Slot(parameter, published, cut, architecture.decoder, copy, bool(lora))


def adapters(module: PolicyModel) -> Iterator[Slot]:
    """Those of `slots` that stand beside a matrix."""
    return (slot for slot in slots(module) if slot.lora)


def _of_lora(which: str, cut: Cut, names: tuple[str, ...]) -> tuple[Cut, tuple[str, ...]]:
    """How the A (`down`) or B (`up`) of a matrix that is cut so is cut itself, and PEFT's names of what is in it."""
    by_columns = cut == "columns"
    if which == "down":
        return "columns" if by_columns else "whole", (names[0].replace(".weight", ".lora_A.weight"),)
    return "whole" if by_columns else cut, tuple(name.replace(".weight", ".lora_B.weight") for name in names)


def written(module: PolicyModel) -> Iterator[Slot]:
    """Those of `slots` that make up the model's tensors: over all stages each tensor once."""
    return (slot for slot in slots(module) if not slot.copy and not slot.lora)


def _names(name: str, first_layer: int, value_head: bool) -> tuple[Cut, tuple[str, ...]]:
    if name.startswith("audio."):
        return "whole", (name.removeprefix("audio."),)
    if name.startswith("language_model.output_layer."):
        if value_head:
            return "whole", (f"value_head.{name.rsplit('.', 1)[1]}",)
        return "rows", ("lm_head.weight",)
    if name in _OTHER_NAMES:
        return _OTHER_NAMES[name]
    match = _LAYER.match(name)
    if match is None or match[2] not in _LAYER_NAMES:
        raise KeyError(f"no Hugging Face name for parameter {name!r}")
    cut, names = _LAYER_NAMES[match[2]]
    return cut, tuple(f"model.layers.{first_layer + int(match[1])}.{n}" for n in names)
