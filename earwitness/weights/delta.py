"""A delta: what changed in a tensor since the version before, as overwrite records. Pure: no connection.

A tensor is cut in segments, each with a record of its own: a head, the gaps between changed elements, and their new
bits. A record says what the bits *are*, not how they differ, so applying it twice is harmless.

    head     count of changed elements, flags, bytes of gaps, bytes of high bits (4 x uint32, little-endian)
    gaps     see `gaps`; possibly zstd
    high     the highest byte of every new element, zstd; only with the flag SPLIT
    values   the new elements, or with SPLIT all but their highest byte

With the flag WHOLE nothing but the segment's new bits follows the head. A tensor without a change has an empty record.
The highest byte holds the sign and most of the exponent, which repeat; the rest of a float hardly compresses.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import zstandard

from earwitness.weights import gaps, loops

SEGMENT = 1 << 22
"""Elements of a segment: memory for positions is bounded, and a tensor's segments are encoded side by side. Smaller
ones cost more in calls than they gain in the cache."""

HEAD = struct.Struct("<4I")
WHOLE, WIDE, SPLIT, PACKED_GAPS = 1, 2, 4, 8

UNCHANGED = HEAD.pack(0, 0, 0, 0)

LEVEL = 1
"""zstd level: higher ones cost more time than they save."""

SAMPLE = 4096
"""Bytes that are compressed to see whether it pays."""

PAYS = 0.8
"""Compressed to bytes: above, a loopback or a fast network moves them sooner than zstd does."""


class BadRecord(ValueError):
    """A record does not fit its tensor: damaged, or of another one."""


def encode(old: np.ndarray, new: np.ndarray) -> list[bytes | memoryview]:
    """The record of one segment, in parts; none without a change. Parts may be views of `new`.

    `old`, `new`: bits of the elements, contiguous, uint16 or uint32 [at most SEGMENT].
    """
    changes = differing(old, new, most=max(0, new.nbytes - 1) // (new.itemsize + 1))
    if changes is None:
        return [HEAD.pack(new.size, WHOLE, 0, 0), new.view(np.uint8).data]
    return list(_record(*changes)) if changes[0].size else []


def apply(record: np.ndarray, target: np.ndarray) -> None:
    """Writes the new bits into `target`, uint16 or uint32 [elements]. `record`: uint8. Raises `BadRecord`.

    With an error, `target` may hold some of the changes.
    """
    if record.size == 0:
        return
    offset = 0
    for start in range(0, target.size, SEGMENT):
        offset = _apply(record, offset, target[start : start + SEGMENT])
    if offset != record.size:
        raise BadRecord(f"{record.size - offset} bytes too many")


def differing(old: np.ndarray, new: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Positions where the bits differ, ascending, int32 [count], and the new bits there; None if more than `most`."""
    buffers = loops.room(most, new.itemsize)
    positions, values = np.empty(buffers, np.int32), np.empty(buffers, new.dtype)
    count = int(loops.finder(new.itemsize)(_read_only(old), _read_only(new), positions, values))
    return (positions[:count], values[:count]) if count <= most else None


def _read_only(bits: np.ndarray) -> np.ndarray:
    """The same memory. Loops are compiled for one kind of array, whatever it was made from."""
    view = bits.view()
    view.flags.writeable = False
    return view


def _record(positions: np.ndarray, values: np.ndarray) -> Iterator[bytes | memoryview]:
    count, width = values.size, values.itemsize
    gap_width, streams = gaps.pack(positions)
    flags = WIDE if gap_width == gaps.WIDE else 0
    compressor = zstandard.ZstdCompressor(level=LEVEL)
    gap_bytes: bytes = b"".join(stream.data for stream in streams)
    if _pays(compressor, gap_bytes):
        gap_bytes = compressor.compress(gap_bytes)
        flags |= PACKED_GAPS
    planes = values.view(np.uint8).reshape(count, width)
    high = np.ascontiguousarray(planes[:, -1]).data
    if not _pays(compressor, high):
        yield HEAD.pack(count, flags, len(gap_bytes), 0)
        yield gap_bytes
        yield planes.reshape(-1).data
        return
    packed_high = compressor.compress(high)
    yield HEAD.pack(count, flags | SPLIT, len(gap_bytes), len(packed_high))
    yield gap_bytes
    yield packed_high
    yield np.ascontiguousarray(planes[:, :-1]).reshape(-1).data


def _pays(compressor: zstandard.ZstdCompressor, data: bytes | memoryview) -> bool:
    sample = data[:SAMPLE]
    return len(compressor.compress(sample)) <= PAYS * len(sample)


def _apply(record: np.ndarray, offset: int, target: np.ndarray) -> int:
    """Applies one segment's record; returns where the next begins."""
    head, offset = _cut(record, offset, HEAD.size)
    count, flags, gap_bytes, high_bytes = HEAD.unpack(head.data)
    width = target.itemsize
    if count > target.size:
        raise BadRecord(f"{count} changes in {target.size} elements")
    if flags & WHOLE:
        bits, offset = _cut(record, offset, target.nbytes)
        target.view(np.uint8)[:] = bits
        return offset
    stream, offset = _cut(record, offset, gap_bytes)
    if flags & PACKED_GAPS:
        stream = _unzip(stream, target.nbytes)
    values = np.empty(count, target.dtype)
    planes = values.view(np.uint8).reshape(count, width)
    if flags & SPLIT:
        packed_high, offset = _cut(record, offset, high_bytes)
        low, offset = _cut(record, offset, count * (width - 1))
        high = _unzip(packed_high, count)
        if high.size != count:
            raise BadRecord(f"high bits of {high.size} elements, not of {count}")
        planes[:, -1] = high
        planes[:, :-1] = low.reshape(count, width - 1)
    else:
        plain, offset = _cut(record, offset, count * width)
        planes[:] = plain.reshape(count, width)
    try:
        gaps.overwrite(stream, gaps.WIDE if flags & WIDE else gaps.NARROW, values, target)
    except ValueError as error:
        raise BadRecord(str(error)) from error
    return offset


def _cut(record: np.ndarray, offset: int, nbytes: int) -> tuple[np.ndarray, int]:
    if offset + nbytes > record.size:
        raise BadRecord(f"ends after {record.size} bytes; expected at least {offset + nbytes}")
    return record[offset : offset + nbytes], offset + nbytes


def _unzip(data: np.ndarray, most: int) -> np.ndarray:
    """At most `most` bytes, uint8."""
    try:
        size = zstandard.frame_content_size(data.data)
        if not 0 <= size <= most:
            raise BadRecord(f"says that it unpacks to {size} bytes; expected at most {most}")
        return np.frombuffer(zstandard.ZstdDecompressor().decompress(data.data, max_output_size=most), np.uint8)
    except zstandard.ZstdError as error:
        raise BadRecord(str(error)) from error
