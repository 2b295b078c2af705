"""Ogg: pages in an unbroken row, one stream, an end that is marked (RFC 3533)."""

from __future__ import annotations

import zlib
from typing import Final

from earwitness.containers import tags
from earwitness.errors import AudioError

_HEADER: Final = 27
"""Bytes of a page's header before its table of segments."""
_POSITION: Final = slice(6, 14)
"""Samples up to the end of the last packet that ends on the page: where libsndfile stops, without a word."""
_NO_POSITION: Final = -1
"""No packet ends on the page."""
_CHECKSUM: Final = slice(22, 26)
_REVERSED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_BEGINS, _ENDS = 0x02, 0x04
"""Flags of a page: the first and the last of its stream."""


def whole(data: bytes, name: str) -> bytes:
    """`data` as it is. Raises AudioError at a page that is missing, cut or of another stream, and at a missing end."""
    place, number, serial, flags, heard, last = 0, 0, b"", 0, 0, 0
    while tags.after(data, place) < len(data):
        page = data[place : place + _HEADER]
        if page[:4] != b"OggS"[: len(page)]:
            raise AudioError(name, f"is damaged: no page where one should begin, at byte {place:,}", "a whole file")
        if len(page) < _HEADER:
            raise _cut_off(name)
        segments = data[place + _HEADER : place + _HEADER + page[26]]
        end = place + _HEADER + page[26] + sum(segments)
        if len(segments) < page[26] or end > len(data):
            raise _cut_off(name)
        if place and (page[5] & _BEGINS or page[14:18] != serial):
            raise AudioError(name, "holds more than one stream", "one stream of sound")
        if place and int.from_bytes(page[18:22], "little") != number:
            raise AudioError(name, f"is damaged: a page is missing at byte {place:,}", "a whole file")
        if _crc(data[place:end]) != int.from_bytes(page[_CHECKSUM], "little"):
            raise AudioError(name, f"is damaged: the page at byte {place:,} has another checksum", "a whole file")
        last = int.from_bytes(page[_POSITION], "little", signed=True)
        if last != _NO_POSITION and last < heard:
            raise AudioError(name, f"is damaged: the page at byte {place:,} goes back in time", "a whole file")
        heard = max(heard, last)
        serial, flags = page[14:18], page[5]
        number = int.from_bytes(page[18:22], "little") + 1
        place = end
    if not flags & _ENDS or last == _NO_POSITION:
        raise _cut_off(name)
    return data


def _crc(page: bytes) -> int:
    """CRC-32 of polynomial 0x04c11db7 without reflection, which zlib's is with all bits reversed, over a page."""
    blank = page[: _CHECKSUM.start] + bytes(4) + page[_CHECKSUM.stop :]
    reflected = zlib.crc32(blank.translate(_REVERSED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return int(f"{reflected:032b}"[::-1], 2)


def _cut_off(name: str) -> AudioError:
    return AudioError(name, "is cut off: the stream's end is missing", "a whole file")
