"""Publishes weights: all ranks gather, rank 0 writes to the weight plane."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from earwitness.errors import InfrastructureError
from earwitness.log import Logger
from earwitness.weights import WeightPublisher
from earwitness.wire.weights.v1.weights_pb2 import VERSION_KIND_ANCHOR
from trainer.huggingface import export_tensors, stored_tensors
from trainer.model.policy import PolicyModel
from trainer.parallel import broadcast_bytes, is_rank_zero

THERE = "there"
"""Says that a version need not be published."""

ATTEMPTS = 30
"""Publications tried before the phase fails, with the pause below and Redis's own retries: some minutes for a shard
to be restarted."""

RETRY_SECONDS = 2.0
"""Pause between two attempts."""


def publish_model(publisher: WeightPublisher | None, version: int, module: PolicyModel, log: Logger) -> None:
    """Publishes the module's weights as `version`. Every rank calls it; `publisher` is None on ranks other than 0.

    A publisher's first version is an anchor, later ones are deltas as long as few bits change.
    Raises InfrastructureError, on all ranks, if the weight plane does not answer for minutes.
    """
    for attempt in range(1, ATTEMPTS + 1):
        if _told(_is_there(publisher, version)) == THERE:
            return
        problem = _attempt(publisher, version, module, log) if is_rank_zero() else _take_part(module)
        told = _told(problem)
        if not told:
            return
        if is_rank_zero():
            log.warning("weights not published", version=version, attempt=attempt, problem=told)
        time.sleep(RETRY_SECONDS)
    raise InfrastructureError("the weight plane", ATTEMPTS * RETRY_SECONDS, told)


def publish_directory(publisher: WeightPublisher, version: int, model_dir: Path, dtype: torch.dtype) -> int:
    """Publishes the weights in a Hugging Face directory, in `dtype`, as `version`. Returns the bytes written.

    0 if the version was there already. Only rank 0 calls it.
    """
    if publisher.has(version):
        publisher.publish_anchor(version, [])  # `latest` points at it again
        return 0
    tensors = ((name, tensor.to(dtype)) for name, tensor in stored_tensors(model_dir))
    manifest = publisher.publish_anchor(version, _raw(tensors))
    return sum(tensor.nbytes for tensor in manifest.tensors)


def _is_there(publisher: WeightPublisher | None, version: int) -> str:
    try:
        return THERE if publisher is not None and publisher.has(version) else ""
    except InfrastructureError as error:
        return str(error)


def _told(words: str) -> str:
    """Rank 0's words, on every rank."""
    return broadcast_bytes(words.encode() if is_rank_zero() else None).decode()


def _attempt(publisher: WeightPublisher | None, version: int, module: PolicyModel, log: Logger) -> str:
    """What went wrong; empty if nothing. Other ranks are in the middle of the export, so it is run to its end."""
    assert publisher is not None, "rank 0 has the publisher"
    tensors = export_tensors(module)
    problem = ""
    try:
        manifest = publisher.publish(version, _raw(tensors))
    except InfrastructureError as error:
        problem = str(error)
    else:
        kind = "anchor" if manifest.kind == VERSION_KIND_ANCHOR else "delta"
        log.info("weights published", version=version, kind=kind, bytes=sum(chunk.nbytes for chunk in manifest.chunks))
    for _ in tensors:
        pass
    return problem


def _take_part(module: PolicyModel) -> str:
    for _ in export_tensors(module):
        raise AssertionError("only rank 0 receives tensors")
    return ""


def _raw(tensors: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, str, tuple[int, ...], np.ndarray]]:
    """Name, type, shape and bytes of each tensor, as the weight plane wants them."""
    for name, tensor in tensors:
        whole = tensor.detach().cpu().contiguous().clone()  # kept by the publisher, while parameters change
        content = whole.flatten().view(torch.uint8).numpy()
        yield name, str(whole.dtype).removeprefix("torch."), tuple(whole.shape), content
