"""Positions of changed elements as the gaps between them, one or two bytes each. Pure.

A gap is the number of unchanged elements before a changed one. The largest number of the width stands for one that is
at least so long; those follow, in order, four bytes each. At 1 % changed, 8 in 100 gaps are long for one byte.
"""

from __future__ import annotations

import numpy as np

NARROW = np.dtype("<u1")
WIDE = np.dtype("<u2")
LONG = np.dtype("<u4")


def pack(positions: np.ndarray) -> tuple[np.dtype, list[np.ndarray]]:
    """Ascending positions below 2^31, int64 [count]: the width, whichever takes fewer bytes, and gaps and long gaps."""
    gaps = positions.astype(np.int32)
    gaps[1:] -= gaps[:-1] + 1
    long = {width: np.flatnonzero(gaps >= _limit(width)) for width in (NARROW, WIDE)}
    width = min(long, key=lambda w: gaps.size * w.itemsize + long[w].size * LONG.itemsize)
    longs = gaps.take(long[width]).astype(LONG)
    gaps[long[width]] = _limit(width)
    return width, [gaps.astype(width), longs]


def unpack(gaps: np.ndarray, longs: np.ndarray) -> np.ndarray:
    """Undoes `pack`: positions, int64 [count]. Raises `ValueError` if there are not as many long gaps as there are said
    to be."""
    long = np.flatnonzero(gaps == _limit(gaps.dtype))
    if long.size != longs.size:
        raise ValueError(f"{longs.size} long gaps; expected {long.size}")
    steps = gaps.astype(np.int64)
    steps[long] = longs
    steps[1:] += 1
    return np.cumsum(steps, out=steps)


def _limit(width: np.dtype) -> int:
    return int(np.iinfo(width).max)
