"""Work on several threads whose results come in order, a few items ahead of whoever takes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")

WINDOW_PER_THREAD = 2
"""Items that are under way or wait for their turn: of chunks of weights, 16 MiB a shard."""


def in_parallel(
    function: Callable[[A], B], items: Iterable[A], threads: int, window: int = WINDOW_PER_THREAD
) -> Iterator[B]:
    """`function` of each item, in order, on so many threads, with at most `window` items a thread under way.

    `items` are drawn as room becomes free. The first error stops everything and is raised.
    """
    waiting: deque[Future[B]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="parallel") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= window * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
