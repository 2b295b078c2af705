"""Who computes what: the rows of each replica, and of each of its micro-batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TypeVar

from earwitness.recipe.schema import MicroBatching
from trainer.batches import padded_length

Item = TypeVar("Item")


def micro_batches(
    items: Sequence[Item], lengths: Callable[[Item], Sequence[int]], how: MicroBatching
) -> list[list[Item]]:
    """The items in order, a new micro-batch where the next item would not fit. `lengths`: tokens of an item's rows."""
    batches: list[list[Item]] = []
    rows: list[int] = []
    for item in items:
        rows += lengths(item)
        if not batches or not _fit(rows, how):
            batches.append([])
            rows = list(lengths(item))
        batches[-1].append(item)
    return batches


def share(items: Sequence[Item], costs: Sequence[int], rank: int, ranks: int) -> list[Item]:
    """The consecutive items that belong to `rank` of `ranks`, so that all cost about the same.

    No share costs more than the mean plus the costliest item. Neighbours stay together, as rows of a group should:
    they share the encoding of their clip.
    """
    sums = list(accumulate(costs, initial=0))

    def bound(part: int) -> int:
        """Where the shares before `part` end: as near to their part of the sum as an item's end can be."""
        if part == ranks:
            return len(items)
        return min(range(len(sums)), key=lambda index: abs(ranks * sums[index] - part * sums[-1]))

    return list(items[bound(rank) : bound(rank + 1)])


def _fit(lengths: Sequence[int], how: MicroBatching) -> bool:
    tokens = padded_length(sum(lengths)) if how.packed else len(lengths) * padded_length(max(lengths))
    return len(lengths) <= how.micro_batch_size and (how.micro_batch_tokens is None or tokens <= how.micro_batch_tokens)
