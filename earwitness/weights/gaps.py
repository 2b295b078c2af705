"""Positions of changed elements as the gaps between them, one or two bytes each. Pure.

A gap is the number of unchanged elements before a changed one. The largest number of the width is an escape: so many
unchanged elements, and no changed one after them. At 1 % changed, 8 in 100 gaps need an escape in one byte.
"""

from __future__ import annotations

import numpy as np

NARROW = np.dtype("<u1")
WIDE = np.dtype("<u2")


def pack(positions: np.ndarray) -> np.ndarray:
    """Ascending positions below 2^31, int64 [count], as gaps: of type NARROW or WIDE, whichever takes fewer bytes."""
    gaps = np.diff(positions.astype(np.int32), prepend=np.int32(-1))
    gaps -= 1
    long = np.flatnonzero(gaps >= _escape(NARROW))
    sizes = {width: (gaps.size + int((gaps[long] // _escape(width)).sum())) for width in (NARROW, WIDE)}
    width = min(sizes, key=lambda w: sizes[w] * w.itemsize)
    if sizes[width] == gaps.size:
        return gaps.astype(width)
    steps = np.ones(gaps.size, np.int32)
    escapes, gaps[long] = np.divmod(gaps[long], _escape(width))
    steps[long] += escapes
    ends = np.cumsum(steps, dtype=np.int32)
    ends -= 1
    stream = np.full(sizes[width], _escape(width), width)
    stream[ends] = gaps
    return stream


def unpack(stream: np.ndarray) -> np.ndarray:
    """Undoes `pack`: positions, int64 [count]."""
    ends = stream != _escape(stream.dtype)
    if ends.all():
        positions = np.cumsum(stream, dtype=np.int64)
        positions += np.arange(stream.size)
        return positions
    passed = np.cumsum(stream + ends.astype(np.int64))
    passed -= 1
    return passed[ends]


def _escape(width: np.dtype) -> int:
    return int(np.iinfo(width).max)
