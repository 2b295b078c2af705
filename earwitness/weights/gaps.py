"""Positions of changed elements as the gaps between them, one or two bytes each. Pure.

A gap is the number of unchanged elements before a changed one. The largest number of the width stands for one that is
at least so long; those follow, in order, four bytes each. At 1 % changed, 8 in 100 gaps are long for one byte.
"""

from __future__ import annotations

import numpy as np

from earwitness.weights import loops

NARROW = np.dtype("<u1")
WIDE = np.dtype("<u2")
LONG = np.dtype("<u4")


def pack(positions: np.ndarray) -> tuple[np.dtype, list[np.ndarray]]:
    """Ascending positions, int32 [count]: the width, whichever takes fewer bytes, and gaps and long gaps."""
    gaps = positions.copy()
    gaps[1:] -= gaps[:-1] + 1
    long = {width: np.flatnonzero(gaps >= _limit(width)) for width in (NARROW, WIDE)}
    width = min(long, key=lambda w: gaps.size * w.itemsize + long[w].size * LONG.itemsize)
    longs = gaps.take(long[width]).astype(LONG)
    gaps[long[width]] = _limit(width)
    return width, [gaps.astype(width), longs]


def overwrite(stream: np.ndarray, width: np.dtype, values: np.ndarray, target: np.ndarray) -> None:
    """Writes each of `values` into `target` at the position that the gaps in `stream` say: what `pack` gave, as uint8.

    Raises `ValueError` if they are not as many, or lead beyond `target`, which then holds some of the values.
    """
    split = values.size * width.itemsize
    if stream.size < split or (stream.size - split) % LONG.itemsize:
        raise ValueError(f"{stream.size} bytes of gaps for {values.size} changes")
    aligned = [part.copy() for part in (stream[:split], stream[split:])]  # a record has its parts at any byte
    gaps, longs = aligned[0].view(width), aligned[1].view(LONG)
    problem = loops.overwriter()(gaps, longs, _limit(width), values, target)
    if problem:
        raise ValueError(loops.OVERWRITE_ERRORS[problem])


def _limit(width: np.dtype) -> int:
    return int(np.iinfo(width).max)
