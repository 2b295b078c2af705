"""What stands before, between and behind the sound of a file and is none: tags and padding."""

from __future__ import annotations

import re
from typing import Final

_ZEROS: Final = re.compile(rb"\0+")
_LYRICS: Final = b"LYRICSBEGIN"
_LYRICS_END: Final = re.compile(rb"LYRICS200|LYRICSEND")


def after(data: bytes, place: int) -> int:
    """Where what follows the tags and the padding at `place` begins: ID3v1, ID3v2, APE, Lyrics3, zeros.

    One that claims to go on behind the end of the file is none: it would hide the sound behind it.
    """
    while place < (end := _end(data, place)) <= len(data):
        place = end
    return place


def _end(data: bytes, place: int) -> int:
    """Where the one tag or the padding that begins at `place` ends; `place` where none begins."""
    here = data[place : place + 11]
    if here[:3] == b"ID3" and len(here) > 9:
        size = sum((byte & 0x7F) << shift for byte, shift in zip(here[6:10], (21, 14, 7, 0), strict=True))
        return place + 10 + size + (10 if here[5] & 0x10 else 0)
    if here[:3] == b"TAG":
        return place + (227 if here[3:4] == b"+" else 128)
    if here[:8] == b"APETAGEX":
        return place + 32 + int.from_bytes(data[place + 12 : place + 16], "little")
    found = _LYRICS_END.search(data, place) if here == _LYRICS else _ZEROS.match(data, place)
    return found.end() if found else place
