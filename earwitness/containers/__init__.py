"""Audio files from outside: what a container says of its own length and wholeness, before anything is decoded.

libsndfile believes the length that a header states or that it guesses from the first frame, and stops there without a
word; where a file is cut off it says nothing either. So each container is walked first: `whole` returns bytes that
libsndfile decodes to their end, or raises AudioError with what is damaged.
"""

from __future__ import annotations

from earwitness.containers import flac, mpeg, ogg, riff
from earwitness.errors import AudioError

__all__ = ["EXPECTED", "whole"]

EXPECTED = "a wav, flac, mp3 or ogg file"

_OTHERS = (
    (4, b"ftyp", "an MP4 file (m4a, aac, alac)"),
    (0, b"\x1a\x45\xdf\xa3", "a Matroska or WebM file"),
    (0, b"#!AMR", "an AMR file"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "an ASF file (wma)"),
    (0, b"\xff\xf1", "a raw AAC stream"),
    (0, b"\xff\xf9", "a raw AAC stream"),
    (0, b"ADIF", "a raw AAC stream"),
    (0, b"FORM", "an AIFF file"),
    (0, b"caff", "a Core Audio file"),
    (0, b".snd", "an AU file"),
    (0, b"wvpk", "a WavPack file"),
    (0, b"MAC ", "a Monkey's Audio file"),
)
"""Where in a file its mark stands, the mark, and the name: what phones, browsers and collections make."""


def whole(data: bytes, name: str) -> bytes:
    """`data` with its true length stated where it stated none or a wrong one."""
    for place, mark, kind in _OTHERS:
        if data[place : place + len(mark)] == mark:
            raise AudioError(name, f"is {kind}", f"{EXPECTED}; `ffmpeg -i CLIP CLIP.flac` makes one")
    start = mpeg.after_tags(data, 0)
    if data[start : start + 4] == b"fLaC":
        return flac.whole(data[start:], name)
    if data[:4] in riff.MARKS:
        return riff.whole(data, name)
    if data[:4] == b"OggS":
        return ogg.whole(data, name)
    return mpeg.whole(data, name)
