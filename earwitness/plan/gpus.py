"""The GPUs that a plan can be made for."""

from __future__ import annotations

from dataclasses import dataclass

GB = 1e9

NODE = 8
"""GPUs that NVLink joins: tensor parallelism beyond them is slower than it is worth."""

USABLE = 0.92
"""Share of a GPU's memory that a plan fills. The rest is the CUDA context, NCCL's buffers, cuBLAS's workspace (together
2 to 3 GB) and what the allocator cannot use between blocks."""


@dataclass(frozen=True)
class Gpu:
    """One kind, as its data sheet describes it."""

    name: str
    memory: float
    """Bytes."""
    flops: float
    """Dense bf16, per second."""

    @property
    def usable(self) -> float:
        """Bytes that a plan fills."""
        return USABLE * self.memory


GPUS = {
    "a100": Gpu("A100 80 GB", 80 * GB, 312e12),
    "h100": Gpu("H100 SXM 80 GB", 80 * GB, 989e12),
    "h200": Gpu("H200 SXM 141 GB", 141 * GB, 989e12),
}
"""By the name of the command line."""
