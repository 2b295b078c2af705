"""Publishes weights beside the training: each rank its own part, rank 0 the manifest that joins them.

`publish` copies the weights, which is all that the training waits for. A thread on each rank then encodes and sends the
copy while the next step waits for groups and computes log-probs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from earwitness import tracing
from earwitness.errors import InfrastructureError
from earwitness.log import Logger
from earwitness.weights import Tensor as Published
from earwitness.weights import WeightPart, WeightPublisher
from earwitness.weights.assembly import Answer, Order, Verb
from earwitness.wire.trajectory.v1.trajectory_pb2 import Passage
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


class Publication:
    """The versions of one lineage. Every rank has one and calls the same methods in the same order."""

    def __init__(
        self,
        part: WeightPart,
        publisher: WeightPublisher | None,
        log: Logger,
        carried: Callable[[Passage], None] = lambda _: None,
    ) -> None:
        """`part`: this rank's; `publisher`: rank 0's; `carried` is told of each version that is there, on a thread."""
        self._part = part
        self._publisher = publisher
        self._log = log
        self._carried = carried
        self._snapshot = Snapshot()
        self._exchange = Exchange(timedelta(seconds=FINISH_SECONDS))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="publication")
        self._running: Future[dict[str, float]] | None = None
        self._version: int | None = None
        self._traceparents: Sequence[str] = ()
        self._sizes: dict[str, float] = {}
        self.figures: dict[str, float] = {}
        """Seconds and bytes of the last version that was committed, by part; rank 0's."""

    def publish(self, version: int, module: PolicyModel, traceparents: Sequence[str] = ()) -> None:
        """Publishes the module's weights as `version`, beside what follows; the parameters may change at once.

        `traceparents`: contexts of the traces of the groups that it was learned from.

        A first version is an anchor, later ones are deltas as long as few bits change. Called again with the same
        version it writes that again only if the weight plane has lost it. Waits for the version before, and raises
        InfrastructureError, on all ranks, if that could not be published for minutes.
        """
        if version == self._version and (self._is_under_way() or self._is_there(version)):
            return
        self.finish()
        started = time.perf_counter()
        tensors = self._snapshot.take(module)
        self._version, self._traceparents = version, traceparents
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
        orders = self._publisher.assemble(version, traceparents=self._traceparents) if self._publisher else None
        begun = time.time()
        answers: list[Answer] | None = None
        while (order := self._next(orders, answers)).verb.writes:
            answer = self._answer(order.verb, version, tensors)
            answers = [Answer.decode(content) for content in self._exchange.gather(answer.encode())]
        if order.verb is not Verb.THERE:  # as after a commit that nobody heard of: the bits before are right, too
            self._part.end(order.verb)
            self._snapshot.settle(committed=order.verb is Verb.KEEP)
        if order.manifest is not None and order.verb is Verb.KEEP:
            self._tell(order.manifest, begun)
        return order.problem

    def _next(self, orders: Generator[Order, Sequence[Answer], None] | None, answers: list[Answer] | None) -> Order:
        """The publisher's next order, on every rank; a publisher that fails leaves the version."""
        order = Order(Verb.LEAVE)
        if orders is not None:
            try:
                order = next(orders) if answers is None else orders.send(answers)
            except InfrastructureError as error:
                order = Order(Verb.LEAVE, str(error))
        told = self._exchange.broadcast(order.encode())
        return order if orders is not None else Order.decode(told)

    def _answer(self, verb: Verb, version: int, tensors: Sequence[Published]) -> Answer:
        try:
            return Answer(self._part.obey(verb, version, tensors))
        except InfrastructureError as error:
            return Answer(problem=str(error))

    def _tell(self, manifest: Manifest, begun: float) -> None:
        """Rank 0's: figures of what was committed, by an attempt that began at `begun`."""
        nbytes = sum(chunk.nbytes for chunk in [*manifest.chunks, *manifest.step.chunks])
        anchor = manifest.kind == VERSION_KIND_ANCHOR
        kind = "anchor" if anchor else "delta"
        self._log.info("weights published", version=manifest.version, kind=kind, bytes=nbytes)
        self._sizes = {"publish.bytes": float(nbytes), "publish.whole": float(anchor)}
        ended = time.time()
        for parent in manifest.traceparents:
            tracing.child(parent, "publish", begun, ended, version=manifest.version, kind=kind, bytes=nbytes)
        stay = Passage(station="publish", arrived=begun, able=begun, begun=begun, ended=ended)
        stay.lineage, stay.version = manifest.lineage, manifest.version
        self._carried(stay)


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


def _raw(tensors: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, str, tuple[int, ...], np.ndarray]]:
    """Name, type, shape and bytes of each tensor, as the weight plane wants them."""
    for name, tensor in tensors:
        whole = tensor.detach().cpu().contiguous()
        content = whole.flatten().view(torch.uint8).numpy()
        yield name, str(whole.dtype).removeprefix("torch."), tuple(whole.shape), content
