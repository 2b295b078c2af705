"""WAV and its larger and older kinds: does the file hold what its header says, and does that agree with itself?"""

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

_EXTENSIBLE: Final = 0xFFFE
"""The format stands behind the other fields, in the first two bytes of a GUID."""
_WIDTHS: Final = {1: (8, 16, 24, 32), 3: (32, 64), 6: (8,), 7: (8,)}
"""Bits that a sample may have in its container, of formats that have a sample for each place: whole numbers, floats,
A-law and mu-law."""
_PACKED: Final = {0x02, 0x11, 0x31, 0x38, 0x40}
"""Formats of packets that libsndfile decodes: two of ADPCM, GSM 6.10, NMS, G.721."""
_OTHERS: Final = {
    0x50: "MPEG layer I or II", 0x55: "mp3", 0xFF: "AAC", 0x1600: "AAC", 0x161: "Windows Media", 0x162: "Windows Media",
    0x2000: "AC-3", 0x2001: "DTS", 0xF1AC: "FLAC", 0x674F: "Vorbis", 0x6770: "Vorbis", 0x704F: "Opus",
}  # fmt: skip
"""What others put into a wav file."""


def whole(data: bytes, name: str) -> bytes:
    """`data`, with its size where none is stated. Raises AudioError where the sound is cut off or its form unclear."""
    order: Literal["big", "little"] = "big" if data[:4] == b"RIFX" else "little"
    place, wide, described = 12, 0, False
    while place + 8 <= len(data):
        mark = data[place : place + 4]
        size = int.from_bytes(data[place + 4 : place + 8], order)
        start = place + 8
        if mark == b"ds64":
            wide = int.from_bytes(data[start + 8 : start + 16], "little")
        if mark == b"fmt " and start + size <= len(data):
            _check_form(data[start : start + size], order, name)
            described = True
        if mark == b"data":
            if not described:
                raise AudioError(
                    name, "is damaged: nothing in front of the sound says what form it has", "a whole file"
                )
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
    raise AudioError(name, "is cut off or damaged: its chunks end before the sound", "a whole file")


def _check_form(form: bytes, order: Literal["big", "little"], name: str) -> None:
    """Refuses a form that no decoder here knows, or that would be read as another: libsndfile goes by its bits."""
    if len(form) < 16:
        raise AudioError(name, f"is damaged: {len(form)} bytes on the form of its sound", "16 or more")
    kind, channels = (int.from_bytes(form[place : place + 2], order) for place in (0, 2))
    rate = int.from_bytes(form[4:8], order)
    block, bits = (int.from_bytes(form[place : place + 2], order) for place in (12, 14))
    if kind == _EXTENSIBLE:
        kind = int.from_bytes(form[24:26], order) if len(form) >= 40 else 0
    if kind in _OTHERS:
        raise AudioError(
            name, f"is a wav file of {_OTHERS[kind]}", "samples that are whole numbers, floats, A-law or mu-law"
        )
    if kind not in _WIDTHS and kind not in _PACKED:
        raise AudioError(name, f"is a wav file of format 0x{kind:04x}", "whole numbers (1) or floats (3)")
    if channels == 0 or not 0 < rate < 1 << 31:
        raise AudioError(name, f"states {channels} channels at {rate:,} Hz", "at least one channel, at a rate")
    if kind in _PACKED:
        return
    width = (bits + 7) // 8 * 8
    if width not in _WIDTHS[kind]:
        known = ", ".join(map(str, _WIDTHS[kind]))
        raise AudioError(name, f"states {bits} bits a sample of format {kind}", f"{known} bits")
    if block and block != channels * width // 8:
        raise AudioError(
            name,
            f"contradicts itself: {channels} channels of {bits} bits and {block} bytes for all of them",
            f"{channels * width // 8} bytes",
        )


def _ends(data: bytes, place: int) -> bool:
    """Whether what follows the sound at `place` is no sound: nothing, padding, a tag, or another chunk."""
    place = tags.after(data, place)
    mark = data[place : place + 4]
    return place == len(data) or len(mark) < 4 or (mark.isascii() and mark.decode().isprintable())
