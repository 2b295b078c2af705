"""FLAC: an encoder that writes into a pipe cannot state the length; the last frame tells it (RFC 9639)."""

from __future__ import annotations

from typing import Final

from earwitness.errors import AudioError

_INFO: Final = 8
"""Where the fields of STREAMINFO begin: after the mark and the block's header."""
_COUNT: Final = slice(_INFO + 10, _INFO + 18)
"""20 bits of rate, 3 of channels, 5 of sample size, 36 of samples; 0 samples: not known (8.2)."""
_MAX_COUNT: Final = (1 << 36) - 1
_SYNCS: Final = (b"\xff\xf8", b"\xff\xf9")
"""How a frame begins: blocks of one size, blocks of varying sizes (9.1)."""
_MAX_HEADER: Final = 16
_MAX_FRAME: Final = 512 * 1024
"""Bytes in which the last frame is sought: the largest block, 65,535 samples, in 2 channels of 24 bits, is less."""
_ID3V1: Final = 128


def whole(data: bytes, name: str) -> bytes:
    """`data` with its count of samples; libsndfile can neither seek nor stop in a stream of unknown length."""
    if len(data) < _COUNT.stop or data[4] & 0x7F != 0:
        raise AudioError(name, "is a FLAC file without a whole STREAMINFO block", "a whole file")
    bits = int.from_bytes(data[_COUNT], "big")
    if bits & _MAX_COUNT:
        return data
    sound = data[:-_ID3V1] if data[-_ID3V1:][:3] == b"TAG" else data
    count = _samples(sound)
    if count is None or not 0 < count <= _MAX_COUNT:
        raise AudioError(name, "is cut off or damaged: it does not end with a whole frame", "a whole file")
    return data[: _COUNT.start] + (bits | count).to_bytes(8, "big") + data[_COUNT.stop :]


def _samples(data: bytes) -> int | None:
    """Samples up to the end of the last frame, if `data` ends with a whole one."""
    place, first = len(data), max(_COUNT.stop, len(data) - _MAX_FRAME)
    while (place := max(data.rfind(sync, first, place) for sync in _SYNCS)) > 0:
        end = _frame_end(data[place : place + _MAX_HEADER], int.from_bytes(data[_INFO : _INFO + 2], "big"))
        if end is not None and _frame_is_true(data[place:]):
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


def _frame_is_true(frame: bytes) -> bool:
    """Whether the frame's CRC-16, its last two bytes, agrees."""
    value = 0
    for byte in frame:
        value = (value << 8 & 0xFF00) ^ _CRC16[value >> 8 ^ byte]
    return value == 0
