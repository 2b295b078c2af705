"""Which layouts fit, and what would make one fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from earwitness.plan.gpus import GPUS, NODE, Gpu
from earwitness.plan.memory import Memory, Parallelism, memory
from earwitness.plan.speed import Speed, micro_batches, speed
from earwitness.plan.work import Work

MOST_GPUS = 4096
"""Looked at before saying that no number of GPUs would do."""


@dataclass(frozen=True)
class Option:
    """One layout of one stage."""

    layout: Parallelism
    memory: Memory
    speed: Speed


@dataclass(frozen=True)
class Change:
    """Something that makes the stage fit."""

    words: str
    layout: Parallelism
    memory: Memory


def options(work: Work, gpus: int, gpu: Gpu) -> list[Option]:
    """Every layout of `gpus` that fits, the fastest first."""
    fitting = [option for option in _all(work, gpus, gpu) if option.memory.total <= gpu.usable]
    return sorted(fitting, key=lambda option: (option.speed.seconds, option.layout.tensor, option.layout.pipeline))


def tightest(work: Work, gpus: int, gpu: Gpu) -> Option | None:
    """The layout that needs the least memory; None if the GPUs cannot be laid out at all."""
    return min(_all(work, gpus, gpu), key=lambda option: option.memory.total, default=None)


def changes(work: Work, gpus: int, gpu: Gpu) -> Iterator[Change]:
    """What would make a stage fit that does not, the cheapest first: settings, then what costs quality or money."""
    free = list(_settings(work))
    together: dict[str, Any] = {}
    for _, fields in free:
        together |= fields
    words = " and ".join(said for said, _ in free)
    for said, fields in [*free, *([(words, together)] if len(free) > 1 else [])]:
        if found := options(replace(work, **fields), gpus, gpu):
            yield Change(said, found[0].layout, found[0].memory)
    half = work.sequence // 2
    costly: list[tuple[str, dict[str, Any], int, Gpu]] = [
        (f"{gpus} x {other.name}", {}, gpus, other) for other in GPUS.values() if other.memory > gpu.memory
    ]
    if work.critic:
        costly.insert(0, ("algorithm: rloo, which has no critic", {"critic": False}, gpus, gpu))
    shorter = {"sequence": half, "responses": max(1, work.responses - work.sequence + half)}
    costly.append((f"sequences of {half} tokens", shorter, gpus, gpu))
    doubled = [gpus * 2**power for power in range(1, 13) if gpus * 2**power <= MOST_GPUS]
    costly += [(f"{count} x {gpu.name}", {}, count, gpu) for count in doubled]
    for said, fields, count, kind in costly:
        for beside, more in [("", {}), (f" with {words}", together)][: 2 if free else 1]:
            if found := options(replace(work, **{**more, **fields}), count, kind):
                yield Change(said + beside, found[0].layout, found[0].memory)
                if count > gpus:
                    return  # the fewest that do are enough
                break


def _settings(work: Work) -> Iterator[tuple[str, dict[str, Any]]]:
    """Changes of the recipe that cost no quality, and at most time, with what they set."""
    if not work.distributed_optimizer:
        yield "model.distributed_optimizer: true", {"distributed_optimizer": True}
    if not work.sequence_parallel:
        yield "model.sequence_parallel: true", {"sequence_parallel": True}
    if work.rows > 1:
        yield f"micro_batch_tokens: {work.sequence}", {"rows": 1, "clips": 1}
    if not work.recompute:
        yield "model.recompute: true", {"recompute": True}
    if not work.freeze_encoder:
        yield "model.freeze_encoder: true", {"freeze_encoder": True}


def _all(work: Work, gpus: int, gpu: Gpu) -> Iterator[Option]:
    dims = work.architecture.decoder
    for tensor in range(1, min(NODE, gpus) + 1):
        if dims.kv_heads % tensor or dims.intermediate_size % tensor or NODE % tensor or gpus % tensor:
            continue
        for pipeline in range(1, gpus // tensor + 1):
            if dims.layers % pipeline or gpus % (tensor * pipeline):
                continue
            layout = Parallelism(tensor, pipeline, gpus // (tensor * pipeline))
            if layout.data > work.batch:
                continue  # replicas without a sequence
            yield Option(layout, memory(work, layout, micro_batches(work, layout)), speed(work, layout, gpu))
