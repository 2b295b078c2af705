"""Whether the engine's own parameters are the version's bits, looked at after loading."""

from __future__ import annotations

from collections.abc import Mapping

import torch

PACKED = {"qkv_proj": ("q_proj", "k_proj", "v_proj"), "gate_up_proj": ("gate_proj", "up_proj")}
"""vLLM's fused layers and what the checkpoint calls their parts, one below the other."""

BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32}
"""Integers of an element's size, bytes: NaN and -0 compare as bits."""


def check_loaded(model: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> set[str]:
    """Compares every parameter that still has the checkpoint's layout with `tensors`, by Hugging Face name.

    Returns the names of the parameters that were compared. Not among them: linear weights that vLLM has repacked, which
    is all of them on the CPU, and those of which this rank holds a share. Raises `RuntimeError` naming a parameter that
    differs.
    """
    compared = set()
    for name, parameter in model.named_parameters():
        parts = [tensors[part] for part in _parts(name) if part in tensors]
        if not _same_layout(parameter, parts):
            continue
        start = 0
        for part in parts:
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


def _same_layout(parameter: torch.Tensor, parts: list[torch.Tensor]) -> bool:
    """A vocabulary may have rows more than the checkpoint's, for padding."""
    if not parts or parameter.dim() == 0:
        return False
    whole = all(part.dtype == parameter.dtype and part.shape[1:] == parameter.shape[1:] for part in parts)
    return whole and len(parameter) >= sum(map(len, parts))


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().view(BITS[tensor.element_size()])
