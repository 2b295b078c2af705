"""WAV and its larger and older kinds: does the file hold as many bytes as its data chunk says?"""

from __future__ import annotations

from typing import Final, Literal

from earwitness.containers import tags
from earwitness.errors import AudioError

MARKS: Final = (b"RIFF", b"RIFX", b"RF64")
_OPEN_ENDED: Final = 0x7FFF_0000
"""Sizes from here on say that a writer into a pipe did not know: ffmpeg 2^32-1, sox 0x7ffff000, arecord 2^31. GStreamer
and writers that did not come back to their header leave 0."""
_IN_DS64: Final = 0xFFFF_FFFF
"""In RF64 the size of the data chunk stands in the `ds64` chunk."""


def whole(data: bytes, name: str) -> bytes:
    """`data`, with its size where none is stated. Raises AudioError if the data chunk is cut off."""
    order: Literal["big", "little"] = "big" if data[:4] == b"RIFX" else "little"
    place, wide = 12, 0
    while place + 8 <= len(data):
        mark = data[place : place + 4]
        size = int.from_bytes(data[place + 4 : place + 8], order)
        start = place + 8
        if mark == b"ds64":
            wide = int.from_bytes(data[start + 8 : start + 16], "little")
        if mark == b"data":
            size = wide if size == _IN_DS64 and wide else size
            held = len(data) - start
            if size == 0 and not _ends(data, start):
                return data[: place + 4] + held.to_bytes(4, order) + data[start:]
            if held < size and (wide or size < _OPEN_ENDED):
                raise AudioError(name, f"is cut off: {held:,} of {size:,} bytes of sound", "a whole file")
            if not _ends(data, start + size):
                raise AudioError(name, f"states {size:,} bytes of sound, and {held:,} follow", "a whole file")
            return data
        place = start + size + size % 2
    return data


def _ends(data: bytes, place: int) -> bool:
    """Whether what follows the sound at `place` is no sound: nothing, padding, a tag, or another chunk."""
    place = tags.after(data, place)
    mark = data[place : place + 4]
    return place == len(data) or len(mark) < 4 or (mark.isascii() and mark.decode().isprintable())
