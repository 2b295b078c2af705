"""Ranks: process groups, this rank's device, and small collectives that carry no pickle."""

from __future__ import annotations

import gc
import os
from datetime import timedelta

import torch
import torch.distributed as dist
from megatron.core import parallel_state, tensor_parallel

from earwitness.errors import InputError
from earwitness.local.gpus import require_found

TIMEOUT = timedelta(minutes=30)
"""A collective that waits longer means a dead rank; loading a large model can take minutes."""


def require_gpus() -> None:
    """Raises InputError if CUDA does not find the GPUs that are named: the CPU is no substitute unasked."""
    require_found(torch.cuda.device_count() if torch.cuda.is_available() else 0)


def initialize(tensor_parallel_size: int, pipeline_parallel_size: int, seed: int = 1) -> None:
    """Joins torch.distributed (environment of torchrun; alone if there is none) and lays out the ranks.

    Calling it again with the same layout changes nothing; another layout replaces the old one. Raises InputError if
    the layout does not fit the ranks, or CUDA does not find the GPUs that are named.
    """
    require_gpus()
    if not torch.cuda.is_available():
        from trainer.ranks import cpu  # not where CUDA is: it replaces parts of torch

        cpu.enable()
    if not dist.is_initialized():
        for key, value in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0")):
            os.environ.setdefault(key, value)
        alone = os.environ["WORLD_SIZE"] == "1" and "MASTER_ADDR" not in os.environ
        if torch.cuda.is_available():
            # Megatron overlaps collectives with products and relies on the GPU starting them in the order of the calls.
            os.environ.setdefault("CUDA_DEVICE_MAX_CONNECTIONS", "1")
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group(
            "nccl" if torch.cuda.is_available() else "gloo",
            timeout=TIMEOUT,
            # A rank that is alone meets nobody: an in-process store needs no free port.
            **({"store": dist.HashStore(), "rank": 0, "world_size": 1} if alone else {}),
        )
    world = dist.get_world_size()
    if world % (tensor_parallel_size * pipeline_parallel_size):
        raise InputError(
            "model.tensor_parallel",
            f"{tensor_parallel_size} x {pipeline_parallel_size} (pipeline_parallel) does not divide {world} ranks",
            "a layout that fits the trainer's ranks",
        )
    if parallel_state.model_parallel_is_initialized():
        if (
            parallel_state.get_tensor_model_parallel_world_size() == tensor_parallel_size
            and parallel_state.get_pipeline_model_parallel_world_size() == pipeline_parallel_size
        ):
            return
        parallel_state.destroy_model_parallel()
    parallel_state.initialize_model_parallel(tensor_parallel_size, pipeline_parallel_size)
    torch.manual_seed(seed)
    if torch.cuda.is_available():
        tensor_parallel.model_parallel_cuda_manual_seed(seed)


def device() -> torch.device:
    """Where this rank computes, whatever thread asks: CUDA's current device is a thread's own, and 0 on a new one."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def free_memory() -> None:
    """Gives back what nobody holds any more: models under Megatron are cycles of hooks, left to the collector."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def is_rank_zero() -> bool:
    """True on the rank that speaks for all."""
    return dist.get_rank() == 0


def data_parallel() -> tuple[int, int]:
    """(rank, size) among the replicas of the model."""
    return parallel_state.get_data_parallel_rank(), parallel_state.get_data_parallel_world_size()


def is_last_stage() -> bool:
    """True where losses are."""
    return parallel_state.is_pipeline_last_stage()


def tensor_parallel_place() -> tuple[int, int]:
    """(rank, size) among the ranks that share each layer."""
    return (
        parallel_state.get_tensor_model_parallel_rank(),
        parallel_state.get_tensor_model_parallel_world_size(),
    )


def all_reduce_sum(tensor: torch.Tensor) -> torch.Tensor:
    """Sums `tensor` in place over the data-parallel replicas and returns it."""
    if parallel_state.get_data_parallel_world_size() > 1:
        dist.all_reduce(tensor, group=parallel_state.get_data_parallel_group())
    return tensor


def broadcast_bytes(
    content: bytes | None,
    src: int = 0,
    *,
    group: dist.ProcessGroup | None = None,
    where: torch.device | None = None,
) -> bytes:
    """Gives every rank the bytes of rank `src`; the others pass None.

    `group`: one of all ranks, in the place of the default one; `where`: where its tensors lie, else on this rank's
    device.
    """
    speaks = dist.get_rank() == src
    if speaks and content is None:
        raise ValueError("the source rank must pass bytes")
    if dist.get_world_size() == 1:
        return content or b""
    where = where or device()
    told = content if speaks and content is not None else b""
    length = torch.tensor([len(told)], dtype=torch.int64, device=where)
    dist.broadcast(length, src, group=group)
    buffer = torch.empty(int(length), dtype=torch.uint8, device=where)
    if told:
        buffer.copy_(torch.frombuffer(bytearray(told), dtype=torch.uint8))
    dist.broadcast(buffer, src, group=group)
    return buffer.cpu().numpy().tobytes()
