"""Audio files from outside: what a container says of its own length and wholeness, before anything is decoded.

libsndfile believes the length that a header states or that it guesses from the first frame, and stops there without a
word; where a file is cut off it says nothing either. So each container is walked first: `whole` returns bytes that
libsndfile decodes to their end, or raises AudioError with what is damaged.
"""

from __future__ import annotations

from earwitness.containers import flac, mpeg, ogg, riff, tags
from earwitness.errors import AudioError

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
    (8, b"AVI ", "an AVI file"),
    (4, b"moov", "a QuickTime file"),
    (4, b"mdat", "a QuickTime file"),
    (4, b"wide", "a QuickTime file"),
    (0, b"FLV", "a Flash video"),
    (0, b"\0\0\1\xba", "an MPEG program stream"),
    (0, b"NIST_1A", "a SPHERE file"),
    (0, b"\x02#!SILK", "a SILK file"),
    (0, b"#!SILK", "a SILK file"),
    (0, b"MThd", "a MIDI file"),
    (0, b"BW64", "a BW64 file"),
    (0, b"riff", "a Wave64 file"),
    (0, b"Creative Voice File", "a VOC file"),
    (0, b"OMG", "an ATRAC file"),
    (0, b"TTA1", "a True Audio file"),
    (0, b"DSD ", "a DSD file"),
    (0, b"FRM8", "a DSD file"),
)
"""Where in a file its mark stands, the mark, and the name: what phones, browsers and collections make."""

_NO_SOUND = (
    (b"version https://git-lfs", "is a pointer of Git LFS in place of the file", "the file; `git lfs pull` brings it"),
    (b"<", "is a page of HTML or XML, perhaps what a server answered in place of the file", EXPECTED),
    (b"{", "is JSON, perhaps what a server answered in place of the file", EXPECTED),
    (b"PK\3\4", "is a ZIP archive", "a clip taken out of it"),
    (b"\x89PNG", "is a picture", EXPECTED),
    (b"\xff\xd8\xff\xe0", "is a picture", EXPECTED),
    (b"%PDF", "is a PDF document", EXPECTED),
    (b"\x93NUMPY", "is an array of numpy", f"{EXPECTED}; soundfile.write makes one"),
    (b"\x1f\x8b", "is packed by gzip", "a clip unpacked from it"),
)
"""What stands where a clip should when a download went wrong: how it begins, what to say of it, what would be right."""


def is_flac(data: bytes) -> bool:
    """Whether what `whole` returned is a FLAC stream."""
    return data[:4] == b"fLaC"


def is_mpeg(data: bytes) -> bool:
    """Whether what `whole` returned is an mp3."""
    return not is_flac(data) and data[:4] not in riff.MARKS and data[:4] != b"OggS"


def whole(data: bytes, name: str) -> bytes:
    """`data` with its true length stated where it stated none or a wrong one."""
    start = tags.after(data, 0)
    for place, mark, kind in _OTHERS:
        if data.startswith(mark, place) or data.startswith(mark, start + place):
            raise AudioError(name, f"is {kind}", f"{EXPECTED}; `ffmpeg -i CLIP CLIP.flac` makes one")
    for mark, problem, expected in _NO_SOUND:
        if data[:64].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(mark):
            raise AudioError(name, problem, expected)
    data = data[start:]  # libsndfile passes over some tags only, and then counts them as sound
    if is_flac(data):
        return flac.whole(data, name)
    if data[:4] in riff.MARKS:
        return riff.whole(data, name)
    if data[:4] == b"OggS":
        return ogg.whole(data, name)
    return mpeg.whole(data, name)
