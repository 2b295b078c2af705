"""FLAC: the last frame tells the length (RFC 9639), which an encoder into a pipe cannot state, and damage misstates."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from earwitness.containers import tags
from earwitness.errors import AudioError

_INFO: Final = 8
"""Where the fields of STREAMINFO begin: after the mark and the block's header."""
_COUNT: Final = slice(_INFO + 10, _INFO + 18)
"""20 bits of rate, 3 of channels, 5 of sample size, 36 of samples; 0 samples: not known (8.2)."""
_MAX_COUNT: Final = (1 << 36) - 1
_MARKS: Final = (b"fLaC\0\0\0\x22", b"fLaC\x80\0\0\x22")
"""How a stream begins: the mark and the header of STREAMINFO, 34 bytes, as the last block of its kind or not."""
_SYNCS: Final = (b"\xff\xf8", b"\xff\xf9")
"""How a frame begins: blocks of one size, blocks of varying sizes (9.1)."""
_MAX_HEADER: Final = 16
_MAX_FRAME: Final = 512 * 1024
"""Bytes in which the last frame is sought: the largest block, 65,535 samples, in 2 channels of 24 bits, is less."""
_MAX_HEADERS: Final = 8
"""True headers that are tried for the last frame; one stands within a frame's bytes by chance once in 50 files."""


class Sum:
    """The MD5 of a stream's samples, which its header states (8.2). Each frame has a checksum of its own, but only this
    tells that one is missing, which a decoder fills with silence, or that they stand in another order."""

    _OF: Final = (8, 16, 24)
    """Bits of a sample for which a float32 holds every value."""

    def __init__(self, data: bytes) -> None:
        self._bits = ((data[_COUNT.start + 2] & 1) << 4 | data[_COUNT.start + 3] >> 4) + 1
        self._stated = data[_COUNT.stop : _COUNT.stop + 16]
        self._sum = hashlib.md5(usedforsecurity=False) if self._bits in self._OF and any(self._stated) else None

    def add(self, block: NDArray[np.float32]) -> None:
        """The next samples `[frames, channels]`, full scale at 1."""
        if self._sum:
            exact = (block * np.float32(1 << self._bits - 1)).astype("<i4", order="C")
            self._sum.update(exact.view(np.uint8).reshape(-1, 4)[:, : self._bits // 8].tobytes())

    def agrees(self) -> bool:
        """Whether all that was added is what was encoded, as far as the header says."""
        return self._sum is None or self._sum.digest() == self._stated


def whole(data: bytes, name: str) -> bytes:
    """`data` with its count of samples; libsndfile can neither seek nor stop in a stream of unknown length."""
    if len(data) < _COUNT.stop or data[4] & 0x7F != 0:
        raise AudioError(name, "is a FLAC file without a whole STREAMINFO block", "a whole file")
    if any(data.find(mark, _COUNT.stop) > 0 for mark in _MARKS):
        raise AudioError(name, "holds more than one stream", "one stream of sound")
    bits = int.from_bytes(data[_COUNT], "big")
    stated = bits & _MAX_COUNT
    count = _samples(data, stated)
    if count is None or not 0 < count <= _MAX_COUNT:
        raise AudioError(name, "is cut off or damaged: it does not end with a whole frame", "a whole file")
    if stated not in (0, count):
        raise AudioError(name, f"states {stated:,} samples and holds {count:,}", "a whole file")
    return data[: _COUNT.start] + (bits | count).to_bytes(8, "big") + data[_COUNT.stop :]


def _samples(data: bytes, stated: int) -> int | None:
    """Samples up to the end of the last frame, if it is whole and nothing but tags follows it.

    Where a header says that its frame is the last of those stated, libsndfile will decode up to it and tell damage.
    """
    place, first, tried = len(data), max(_COUNT.stop, len(data) - _MAX_FRAME), 0
    while (place := max(data.rfind(sync, first, place) for sync in _SYNCS)) > 0 and tried < _MAX_HEADERS:
        end = _frame_end(data[place : place + _MAX_HEADER], int.from_bytes(data[_INFO : _INFO + 2], "big"))
        if end is not None:
            tried += 1
            if end == stated or _is_last(data, place):
                return end
    return None


def _frame_end(head: bytes, block: int) -> int | None:
    """The number of the sample that follows the frame of this header; `block`: samples of a block of fixed size."""
    if len(head) < _MAX_HEADER:
        head = head.ljust(_MAX_HEADER, b"\0")
    ones = 8 - (head[4] ^ 0xFF).bit_length()  # as in UTF-8, up to 7 bytes
    if ones == 1 or ones == 8:
        return None
    more = max(ones - 1, 0)
    number = head[4] & (0x7F >> ones)
    for byte in head[5 : 5 + more]:
        number = number << 6 | byte & 0x3F
    place = 5 + more
    code, rate = head[2] >> 4, head[2] & 0xF
    if code == 0:
        return None
    if code == 6:
        size, place = head[place] + 1, place + 1
    elif code == 7:
        size, place = int.from_bytes(head[place : place + 2], "big") + 1, place + 2
    else:
        size = 192 if code == 1 else 576 << code - 2 if 2 <= code <= 5 else 256 << code - 8
    place += {12: 1, 13: 2, 14: 2}.get(rate, 0)
    if not _header_is_true(head[: place + 1]):
        return None
    return (number if head[1] & 1 else number * block) + size


def _table(width: int, polynomial: int) -> tuple[int, ...]:
    def row(value: int) -> int:
        for _ in range(8):
            value = value << 1 ^ polynomial if value >> width - 1 & 1 else value << 1
        return value & (1 << width) - 1

    return tuple(row(byte << width - 8) for byte in range(256))


_CRC8: Final = _table(8, 0x07)
_CRC16: Final = _table(16, 0x8005)


def _header_is_true(head: bytes) -> bool:
    """Whether the header's CRC-8, its last byte, agrees."""
    value = 0
    for byte in head:
        value = _CRC8[value ^ byte]
    return value == 0


def _is_last(data: bytes, place: int) -> bool:
    """Whether the frame at `place` ends, with a CRC-16 that agrees, where only tags follow."""
    value = 0
    for end, byte in enumerate(data[place:], place + 1):
        value = (value << 8 & 0xFF00) ^ _CRC16[value >> 8 ^ byte]
        if value == 0 and tags.after(data, end) == len(data):
            return True
    return False
