"""vLLM's compiled kernels for the CPU. Where they do not load, vLLM warns, goes on, and dies with its first engine."""

from __future__ import annotations

import torch
from vllm.platforms import current_platform

KERNEL = "init_cpu_memory_env"
"""One of them, which every engine calls."""


def require_kernels() -> None:
    """Raises ImportError if the kernels for this processor did not load."""
    if current_platform.is_cpu():
        current_platform.import_kernels()
        if not hasattr(torch.ops._C, KERNEL):
            raise ImportError("vLLM's compiled kernels do not load")
