"""A rollout worker that is in the middle of its work for as long as a test needs: its vLLM stands still."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil

from tests.integration.process_kit import below, wait_for

WORK_SECONDS = 0.1
"""What vLLM computes of a group before it is frozen: some tokens, not all."""
FROZEN_SECONDS = 0.3
"""What a worker has told the queue before is there by then."""


@contextmanager
def frozen_at_work(pid: int, holds: Callable[[], object], seconds: float = WORK_SECONDS) -> Iterator[None]:
    """The vLLM of the worker `pid` stands still after `seconds` of work on a group; `holds`: whether it holds one.

    Time is vLLM's own: on busy cores a claim says nothing of how far a group is.
    """
    (vllm,) = below(pid, "EngineCore")

    def worked() -> float:
        return sum(vllm.cpu_times()[:2])

    def frozen() -> bool:
        if not holds():
            return False
        until = worked() + seconds
        while worked() < until and holds():
            time.sleep(0.005)
        vllm.suspend()
        time.sleep(FROZEN_SECONDS)
        if not holds():
            vllm.resume()
            return False
        return True

    wait_for("a worker to be in the middle of a group", frozen, poll_seconds=0.005)
    try:
        yield
    finally:
        with suppress(psutil.NoSuchProcess):  # killed
            vllm.resume()
