"""Which layouts fit, and what would make one fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from earwitness.plan.gpus import GPUS, NODE, Gpu
from earwitness.plan.memory import Layout, Memory, memory
from earwitness.plan.speed import Speed, micro_batches, speed
from earwitness.plan.work import Work

MOST_GPUS = 4096
"""Looked at before saying that no number of GPUs would do."""


@dataclass(frozen=True)
class Option:
    """One layout of one stage."""

    layout: Layout
    memory: Memory
    speed: Speed


@dataclass(frozen=True)
class Change:
    """Something that makes the stage fit."""

    words: str
    layout: Layout
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
    best = work
    for _, fields in free:
        best = replace(best, **fields)
    words = " and ".join(said for said, _ in free)
    attempts = [(said, replace(work, **fields), gpus, gpu) for said, fields in free]
    if len(free) > 1:
        attempts.append((words, best, gpus, gpu))
    beside = f" with {words}" if free else ""
    if work.critic:
        attempts.append((f"algorithm: rloo, which has no critic{beside}", replace(best, critic=False), gpus, gpu))
    bigger = [other for other in GPUS.values() if other.memory > gpu.memory]
    attempts += [(f"{gpus} x {other.name}{beside}", best, gpus, other) for other in bigger]
    more = [gpus * 2**power for power in range(1, 13) if gpus * 2**power <= MOST_GPUS]
    attempts += [(f"{count} x {gpu.name}{beside}", best, count, gpu) for count in more]
    half = work.sequence // 2
    shorter = replace(best, sequence=half, responses=max(1, work.responses - work.sequence + half))
    attempts.append((f"sequences of {half} tokens{beside}", shorter, gpus, gpu))
    grown = False
    for said, changed, count, kind in attempts:
        if count > gpus and grown:
            continue  # the fewest that do are enough
        if found := options(changed, count, kind):
            grown = grown or count > gpus
            yield Change(said, found[0].layout, found[0].memory)


def _settings(work: Work) -> Iterator[tuple[str, dict[str, Any]]]:
    """Changes of the recipe that cost no quality, and little or no time, with what they set."""
    if not work.distributed_optimizer:
        yield "model.distributed_optimizer: true", {"distributed_optimizer": True}
    if not work.sequence_parallel:
        yield "model.sequence_parallel: true", {"sequence_parallel": True}
    if work.rows > 1:
        yield f"micro_batch_tokens: {work.sequence}", {"rows": 1, "clips": 1}
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
            layout = Layout(tensor, pipeline, gpus // (tensor * pipeline))
            if layout.data > work.batch:
                continue  # replicas without a sequence
            yield Option(layout, memory(work, layout, micro_batches(work, layout)), speed(work, layout, gpu))
