"""mp3: frames are counted one by one, and the count is stated in front, where decoders look for it.

A frame has its own bit rate, so only a walk over all of them finds the length. Without a Xing header libsndfile takes
the size of the first frame for that of all: a clip of variable bit rate is then cut to a third of itself.
Layout of frames: ISO/IEC 11172-3, 2.4.1.3, and 13818-3; of the Xing header: as LAME writes it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from earwitness.containers.tags import after
from earwitness.errors import AudioError

_KBPS: Final = {
    (1, 1): tuple(range(32, 449, 32)),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates by version (1, or 2 for MPEG-2 and 2.5) and layer; index 0 is the free format, 15 is forbidden."""
_RATES: Final = (44_100, 48_000, 32_000)
_MAX_FRAME: Final = 2_881
"""Bytes of the largest frame: what a recording of a running stream may have of the frame that it began in."""
_HEADER: Final = 4
_FLAG_FRAMES: Final = 1
_XING_BYTES: Final = 12
"""The mark, the flags and the count."""


class _Frame(NamedTuple):
    size: int  # bytes, with the header
    kind: tuple[int, int, int]  # version, layer, sample rate: the same in all frames of a file
    side: int  # bytes of side information; the Xing header stands behind it


class _Walk(NamedTuple):
    first: int  # byte where the first frame begins
    frames: list[_Frame]
    sound_from: int  # byte where the first frame of sound begins
    stated: int | None  # frames of sound that a Xing header states


def whole(data: bytes, name: str) -> bytes:
    """`data` with its true number of frames in a Xing header. Raises AudioError where it is damaged or cut off.

    What does not begin like an mp3 file is left to libsndfile.
    """
    first = _first_frame(data)
    if first is None:
        return data
    walk = _walk(data, first, name)
    count = len(walk.frames) - (walk.sound_from > walk.first)
    if walk.stated is not None and walk.stated > count:
        raise AudioError(name, f"is cut off: {count:,} of {walk.stated:,} frames", "a whole file")
    if walk.stated == count or count == 0:
        return data
    if walk.frames[0].kind[1] != 3:
        if max(f.size for f in walk.frames) > min(f.size for f in walk.frames) + 4:
            raise AudioError(name, "is MPEG audio of layer I or II with a varying bit rate", "layer III (mp3)")
        return data
    return _xing_frame(data[walk.first : walk.first + _HEADER], count) + data[walk.sound_from :]


def _frame(data: bytes, place: int) -> _Frame | None:
    """The frame whose header stands at `place`."""
    head = data[place : place + _HEADER]
    if len(head) < _HEADER or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version = {3: 1, 2: 2, 0: 3}.get(head[1] >> 3 & 3)  # MPEG-1, MPEG-2 and "2.5"
    layer = {3: 1, 2: 2, 1: 3}.get(head[1] >> 1 & 3)
    index, rate_index, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version is None or layer is None or index in (0, 15) or rate_index == 3:
        return None
    rate = _RATES[rate_index] >> version - 1
    bits = _KBPS[min(version, 2), layer][index - 1] * 1000
    if layer == 1:
        size = (12 * bits // rate + padding) * 4
    else:
        size = (72 if layer == 3 and version > 1 else 144) * bits // rate + padding
    mono = head[3] >> 6 == 3
    side = (17 if mono else 32) if version == 1 else (9 if mono else 17)
    return _Frame(size, (version, layer, rate), side)


def _first_frame(data: bytes) -> int | None:
    """Where the first frame begins: one that another of its kind follows, or that ends with the file."""
    start = after(data, 0)
    for place in range(start, min(start + _MAX_FRAME, len(data))):
        if (frame := _frame(data, place)) is None:
            continue
        end = after(data, place + frame.size)
        following = _frame(data, end)
        if end == len(data) or (following is not None and following.kind == frame.kind):
            return place
    return None


def _walk(data: bytes, first: int, name: str) -> _Walk:
    frames: list[_Frame] = []
    place, sound_from, stated = first, first, None
    while (place := after(data, place)) < len(data):
        frame = _frame(data, place)
        if frame is None or (frames and frame.kind != frames[0].kind):
            if len(data) - place < _HEADER:
                raise _cut_off(name)
            raise AudioError(name, f"is damaged: no frame where one should begin, at byte {place:,}", "a whole file")
        if place + frame.size > len(data):
            raise _cut_off(name)
        if not frames and (found := _stated(data[place : place + frame.size], frame)) is not None:
            sound_from = place + frame.size
            stated = found or None
        frames.append(frame)
        place += frame.size
    return _Walk(first, frames, sound_from, stated)


def _stated(data: bytes, frame: _Frame) -> int | None:
    """What a first frame that holds no sound states: frames, 0 where it has no count; None for a frame of sound."""
    xing = data[_HEADER + frame.side :]
    if xing[:4] in (b"Xing", b"Info"):
        return int.from_bytes(xing[8:12], "big") if xing[7] & _FLAG_FRAMES else 0
    if data[36:40] == b"VBRI":
        return 0  # its count is not read by mpg123
    return None


def _xing_frame(head: bytes, count: int) -> bytes:
    """A frame of the kind of `head` without sound that states how many frames of sound follow it."""
    for index in range(1, 15):
        bare = bytes((head[0], head[1] | 1, (index << 4) | (head[2] & 0x0C), head[3]))  # no checksum, no padding
        frame = _frame(bare, 0)
        if frame and frame.size >= _HEADER + frame.side + _XING_BYTES:
            xing = b"Xing" + _FLAG_FRAMES.to_bytes(4, "big") + count.to_bytes(4, "big")
            return (bare + bytes(frame.side) + xing).ljust(frame.size, b"\0")
    raise AssertionError("the largest frame of layer III holds a Xing header")


def _cut_off(name: str) -> AudioError:
    return AudioError(name, "is cut off in the middle of a frame", "a whole file")
