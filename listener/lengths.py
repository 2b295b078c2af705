"""Clips of different lengths in one batch."""

from __future__ import annotations

import torch
from torch import Tensor


def within(lengths: Tensor, longest: int) -> Tensor | None:
    """Which positions lie inside each clip, [clips, longest] of the lengths' device; None if all do."""
    if bool((lengths == longest).all()):
        return None
    return torch.arange(longest, device=lengths.device)[None, :] < lengths[:, None]
