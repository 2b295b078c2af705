"""Updates on a fixed set of data: the loop of supervised and preference tuning."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from earwitness.recipe.schema import Updates
from trainer.learner import Learner, Loss
from trainer.ranks.agreement import agree
from trainer.ranks.figures import sums
from trainer.steps import Step, Steps

T = TypeVar("T")

AHEAD = 2
"""Updates whose batches are made while another runs: enough to hide a slow clip, few enough to hold in memory."""


@dataclass(frozen=True)
class TuningUpdate:
    """One update."""

    micro_batches: Sequence[Any]
    """This rank's."""
    loss: Loss
    """Its figures are sums over the global batch divided by its size."""
    figures: Sequence[str]
    """Those to report."""
    names: Sequence[str]
    """What errors call the rows, by their number."""
    tokens: int
    """Response tokens over all ranks."""


def follow(learner: Learner, work: Callable[[int], TuningUpdate], config: Updates, done: int) -> Steps:
    """The updates after `done`, until `config.steps` are."""
    with prepared(work, done + 1) as updates:
        for _ in range(done, config.steps):
            started = time.perf_counter()
            step, update = agree(next, updates)
            made, norm = learner.update(update.micro_batches, update.loss, update.names)
            figures = sums(made, update.figures)
            seconds = time.perf_counter() - started
            yield Step(step, {**figures, "grad_norm": norm, "tokens": update.tokens, "seconds.step": seconds})


@contextmanager
def prepared(make: Callable[[int], T], first: int) -> Iterator[Iterator[tuple[int, T]]]:
    """(step, make(step)) for step = first, first + 1, ..., made on a thread of its own, AHEAD steps ahead."""

    def results() -> Iterator[tuple[int, T]]:
        waiting = deque((step, pool.submit(make, step)) for step in range(first, first + AHEAD))
        while True:
            step, made = waiting.popleft()
            waiting.append((step + AHEAD, pool.submit(make, step + AHEAD)))
            yield step, made.result()

    pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
    try:
        yield results()
    finally:
        pool.shutdown(cancel_futures=True)
