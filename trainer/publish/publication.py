"""Publishes weights beside the training: each rank its own part, rank 0 the manifest that joins them.

`publish` copies the weights, which is all that the training waits for. A thread on each rank then encodes and sends the
copy while the next step waits for groups and computes log-probs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from earwitness.errors import InfrastructureError
from earwitness.log import Logger
from earwitness.weights import Tensor as Published
from earwitness.weights import WeightPart, WeightPublisher
from earwitness.wire.weights.v1.weights_pb2 import VERSION_KIND_ANCHOR, Manifest
from trainer.model.huggingface import stored_tensors
from trainer.model.policy import PolicyModel
from trainer.publish.exchange import Exchange
from trainer.publish.snapshot import Snapshot
from trainer.ranks.parallel import broadcast_bytes, is_rank_zero

ATTEMPTS = 30
"""Publications tried before the phase fails, with the pause below and Redis's own retries: some minutes for a shard
to be restarted."""

RETRY_SECONDS = 2.0
"""Pause between two attempts."""

FINISH_SECONDS = 900.0
"""Longest wait for a publication under way: all its attempts, each with some seconds until a shard counts as gone, and
the anchor of a large model."""

PROBLEM, TOO_MUCH, ANCHOR, DONE = b"P", b"N", b"A", b"D"
"""First byte of what ranks tell one another: it failed, for the words that follow; a part is too much for a delta;
whole tensors are due beside the delta; it is done (a part: and this is its table)."""


class Publication:
    """The versions of one lineage. Every rank has one and calls the same methods in the same order."""

    def __init__(self, part: WeightPart, publisher: WeightPublisher | None, log: Logger) -> None:
        """`part`: this rank's; `publisher`: rank 0's."""
        self._part = part
        self._publisher = publisher
        self._log = log
        self._snapshot = Snapshot()
        self._exchange = Exchange(timedelta(seconds=FINISH_SECONDS))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="publication")
        self._running: Future[dict[str, float]] | None = None
        self._version: int | None = None
        self._sizes: dict[str, float] = {}
        self.figures: dict[str, float] = {}
        """Seconds and bytes of the last version that was committed, by part; rank 0's."""

    def publish(self, version: int, module: PolicyModel) -> None:
        """Publishes the module's weights as `version`, beside what follows; the parameters may change at once.

        A first version is an anchor, later ones are deltas as long as few bits change. Called again with the same
        version it writes that again only if the weight plane has lost it. Waits for the version before, and raises
        InfrastructureError, on all ranks, if that could not be published for minutes.
        """
        if version == self._version and (self._is_under_way() or self._is_there(version)):
            return
        self.finish()
        started = time.perf_counter()
        tensors = self._snapshot.take(module)
        self._version = version
        self._running = self._thread.submit(self._publish, version, tensors, time.perf_counter() - started)

    def finish(self) -> None:
        """Waits until nothing is under way. Raises as `publish`."""
        running, self._running = self._running, None
        if running is None:
            return
        try:
            self.figures = running.result(FINISH_SECONDS)
        except FutureTimeout as error:
            what = f"version {self._version} to be published"
            raise InfrastructureError(what, FINISH_SECONDS, "it is still under way") from error

    def close(self) -> None:
        """Ends it. What is under way is waited for, and its error dropped: the phase has one of its own."""
        self._thread.shutdown(wait=True)
        self._exchange.close()

    def _is_under_way(self) -> bool:
        """Rank 0's view, so that all ranks take the same way."""
        busy = self._running is not None and not self._running.done()
        return broadcast_bytes(bytes([busy]) if is_rank_zero() else None) == bytes([True])

    def _is_there(self, version: int) -> bool:
        self.finish()
        there = False
        if self._publisher is not None:
            try:
                there = self._publisher.has(version)
            except InfrastructureError as error:
                self._log.warning("the weight plane does not answer", problem=str(error))
                there = True  # it is asked again soon, and a publication would fail as well
        return broadcast_bytes(bytes([there]) if is_rank_zero() else None) == bytes([True])

    def _publish(self, version: int, tensors: Sequence[Published], snapshot_seconds: float) -> dict[str, float]:
        """Tries until it is committed; the figures. Runs on the thread."""
        for attempt in range(1, ATTEMPTS + 1):
            started = time.perf_counter()
            problem = self._attempt(version, tensors)
            if not problem:
                seconds = {"seconds.publish.snapshot": snapshot_seconds}
                seconds["seconds.publish.send"] = time.perf_counter() - started
                return self._sizes | seconds
            if self._publisher is not None:
                self._log.warning("weights not published", version=version, attempt=attempt, problem=problem)
            time.sleep(RETRY_SECONDS)
        raise InfrastructureError("the weight plane", ATTEMPTS * RETRY_SECONDS, problem)

    def _attempt(self, version: int, tensors: Sequence[Published]) -> str:
        """One attempt of all ranks: what went wrong, empty if nothing."""
        plan = self._exchange.broadcast(self._plan(version))
        if plan[:1] == PROBLEM:
            return plan[1:].decode()
        if plan == DONE:
            return ""
        on = int(plan) if plan else None
        deltas = self._exchange.gather(self._write(version, tensors, delta=True) if on is not None else TOO_MUCH)
        whole: list[bytes] = []
        judged = self._exchange.broadcast(self._judged(deltas))
        if judged == TOO_MUCH:
            self._part.drop_delta()
        if judged in (TOO_MUCH, ANCHOR):
            whole = self._exchange.gather(self._write(version, tensors, delta=False))
        outcome = self._exchange.broadcast(self._commit(version, on, deltas, whole))
        self._part.settle(committed=outcome == DONE)
        self._snapshot.settle(committed=outcome == DONE)
        return outcome[1:].decode()

    def _plan(self, version: int) -> bytes:
        """Rank 0's: the version to build upon, nothing for an anchor, DONE, or the problem.

        DONE is what an attempt finds whose predecessor committed without hearing so. The bits of the version before
        then stay those that the next is compared with, which is right, too.
        """
        if self._publisher is None:
            return b""
        try:
            if self._publisher.existing(version) is not None:
                return DONE
            on = self._publisher.begin()
        except InfrastructureError as error:
            return PROBLEM + str(error).encode()
        return b"" if on is None else str(on).encode()

    def _write(self, version: int, tensors: Sequence[Published], *, delta: bool) -> bytes:
        try:
            table = self._part.delta(version, tensors) if delta else self._part.whole(version, tensors, keep=True)
        except InfrastructureError as error:
            return PROBLEM + str(error).encode()
        return TOO_MUCH if table is None else DONE + table.SerializeToString()

    def _judged(self, deltas: Sequence[bytes]) -> bytes:
        """Rank 0's: the first problem, TOO_MUCH, ANCHOR or DONE."""
        worst = _worst(deltas)
        if self._publisher is None or worst != DONE:
            return worst
        return ANCHOR if self._publisher.needs_anchor(_tables(deltas)) else DONE

    def _commit(self, version: int, on: int | None, deltas: Sequence[bytes], whole: Sequence[bytes]) -> bytes:
        """Rank 0's: DONE, or the problem."""
        if self._publisher is None:
            return b""
        if (worst := _worst([*deltas, *whole]))[:1] == PROBLEM:
            return worst
        try:
            manifest, committed = self._publisher.commit(
                version, on, None if TOO_MUCH in deltas else _tables(deltas), _tables(whole) if whole else None
            )
        except InfrastructureError as error:
            return PROBLEM + str(error).encode()
        if not committed:
            return PROBLEM + b"another publisher was first"
        nbytes = sum(chunk.nbytes for chunk in [*manifest.chunks, *manifest.step.chunks])
        anchor = manifest.kind == VERSION_KIND_ANCHOR
        self._log.info("weights published", version=version, kind="anchor" if anchor else "delta", bytes=nbytes)
        self._sizes = {"publish.bytes": float(nbytes), "publish.whole": float(anchor)}
        return DONE


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


def _worst(parts: Sequence[bytes]) -> bytes:
    """The first problem, else TOO_MUCH if a part is, else DONE."""
    problems = [part for part in parts if part[:1] == PROBLEM]
    return next(iter(problems), TOO_MUCH if TOO_MUCH in parts else DONE)


def _tables(parts: Sequence[bytes]) -> list[Manifest]:
    return [Manifest.FromString(part[1:]) for part in parts]


def _raw(tensors: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, str, tuple[int, ...], np.ndarray]]:
    """Name, type, shape and bytes of each tensor, as the weight plane wants them."""
    for name, tensor in tensors:
        whole = tensor.detach().cpu().contiguous()
        content = whole.flatten().view(torch.uint8).numpy()
        yield name, str(whole.dtype).removeprefix("torch."), tuple(whole.shape), content
