"""Positions of changed elements as the gaps between them, one or two bytes each. Pure.

A gap is the number of unchanged elements before a changed one. The largest number of the width is an escape: so many
unchanged elements, and no changed one after them. At 1 % changed, 8 in 100 gaps need an escape in one byte.
"""

from __future__ import annotations

import numpy as np

NARROW = np.dtype("<u1")
WIDE = np.dtype("<u2")


def pack(positions: np.ndarray) -> np.ndarray:
    """Ascending positions, int64 [count], as gaps: of type NARROW or WIDE, whichever takes fewer bytes."""
    gaps = np.diff(positions, prepend=-1)
    gaps -= 1
    narrow, wide = _length(gaps, NARROW), _length(gaps, WIDE)
    width, length = (NARROW, narrow) if narrow * NARROW.itemsize <= wide * WIDE.itemsize else (WIDE, wide)
    if length == gaps.size:
        return gaps.astype(width)
    stream = np.full(length, _escape(width), width)
    ends = np.arange(gaps.size)
    long = np.flatnonzero(gaps >= _escape(width))
    escapes, gaps[long] = np.divmod(gaps[long], _escape(width))
    before = np.zeros(gaps.size, np.int64)
    before[long] = escapes
    ends += np.cumsum(before)
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


def _length(gaps: np.ndarray, width: np.dtype) -> int:
    long = gaps[gaps >= _escape(width)]
    return gaps.size + int((long // _escape(width)).sum())


def _escape(width: np.dtype) -> int:
    return int(np.iinfo(width).max)
