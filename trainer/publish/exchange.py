"""Bytes between the ranks beside the training: a process group of its own, so that a thread may use it."""

from __future__ import annotations

from datetime import timedelta

import torch
import torch.distributed as dist

from trainer.ranks.parallel import broadcast_bytes


class Exchange:
    """Every rank makes one at the same point, and then calls the same methods in the same order, from one thread.

    Always over gloo: what goes here is small, lies in host memory, and must not wait for a GPU's stream.
    """

    def __init__(self, timeout: timedelta) -> None:
        """`timeout`: longest wait for the other ranks; then torch raises `RuntimeError`."""
        self.rank, self.ranks = dist.get_rank(), dist.get_world_size()
        self._group = dist.new_group(backend="gloo", timeout=timeout) if self.ranks > 1 else None

    def broadcast(self, content: bytes) -> bytes:
        """Rank 0's bytes, on every rank."""
        told = content if self.rank == 0 else None
        return broadcast_bytes(told, group=self._group, where=torch.device("cpu"))

    def gather(self, content: bytes) -> list[bytes]:
        """Every rank's bytes, in the order of ranks, on rank 0; nothing elsewhere."""
        if self._group is None:
            return [content]
        lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.ranks)]
        dist.all_gather(lengths, torch.tensor([len(content)]), group=self._group)
        longest = max(int(length) for length in lengths)
        buffers = [torch.empty(longest, dtype=torch.uint8) for _ in lengths] if self.rank == 0 else None
        dist.gather(_padded(content, longest), buffers, dst=0, group=self._group)
        if buffers is None:
            return []
        return [b.numpy().tobytes()[: int(length)] for b, length in zip(buffers, lengths, strict=True)]

    def close(self) -> None:
        """Every rank calls it."""
        if self._group is not None:
            dist.destroy_process_group(self._group)
            self._group = None


def _padded(content: bytes, length: int) -> torch.Tensor:
    buffer = torch.zeros(length, dtype=torch.uint8)
    if content:
        buffer[: len(content)] = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    return buffer
