"""Whether the engine's own parameters are the version's bits, looked at after loading."""

from __future__ import annotations

from collections.abc import Mapping

import torch

PACKED = {"qkv_proj": ("q_proj", "k_proj", "v_proj"), "gate_up_proj": ("gate_proj", "up_proj")}
"""vLLM's fused layers and what the checkpoint calls their parts, one below the other."""

BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32}
"""Integers of an element's size, bytes: NaN and -0 compare as bits."""


def check_loaded(model: torch.nn.Module, tensors: Mapping[str, torch.Tensor], rank: int = 0, size: int = 1) -> set[str]:
    """Compares every parameter that still has the checkpoint's layout with `tensors`, by Hugging Face name.

    `rank` of `size` tensor-parallel ranks holds a share of most of them: rows, or columns, or all.
    Returns the names of the parameters that were compared. Not among them: linear weights that vLLM has repacked, which
    is all of them on the CPU, and heads that ranks share. Raises `RuntimeError` naming a parameter that differs.
    """
    compared = set()
    for name, parameter in model.named_parameters():
        parts = [tensors[part] for part in _parts(name) if part in tensors]
        held = _held(parameter, parts, rank, size)
        if held is None:
            continue
        start = 0
        for part in held:
            rows = parameter.data[start : start + len(part)]
            if not torch.equal(_bits(rows), _bits(part.to(rows.device))):
                raise RuntimeError(f"after loading, parameter {name} is not what the version says")
            start += len(part)
        compared.add(name)
    return compared


def _parts(name: str) -> list[str]:
    for fused, parts in PACKED.items():
        if f".{fused}." in name:
            return [name.replace(f".{fused}.", f".{part}.") for part in parts]
    return [name]


def _held(parameter: torch.Tensor, parts: list[torch.Tensor], rank: int, size: int) -> list[torch.Tensor] | None:
    """What the parameter holds of the parts, one below the other; None if it is laid out in another way.

    A vocabulary may have rows more than the checkpoint's, for padding.
    """
    if not parts or parameter.dim() == 0 or any(part.dtype != parameter.dtype for part in parts):
        return None
    if any(part.dim() != parameter.dim() for part in parts):
        return None
    rows = sum(map(len, parts))
    if all(part.shape[1:] == parameter.shape[1:] for part in parts):
        if rows <= len(parameter):
            return parts
        if len(parts) == 1 and len(parameter) * size >= rows:
            return [parts[0][rank * len(parameter) : (rank + 1) * len(parameter)]]
        if len(parameter) * size == rows and all(len(part) % size == 0 for part in parts):
            return [part.chunk(size)[rank] for part in parts]
        return None
    (part, *others) = parts
    if not others and parameter.dim() == 2 and part.shape == (len(parameter), parameter.shape[1] * size):
        return [part.chunk(size, dim=1)[rank]]
    return None


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().view(BITS[tensor.element_size()])
