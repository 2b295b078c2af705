"""A wav's form, and a FLAC's frames all together: read as they are, or refused by what contradicts itself."""

import io
import struct

import numpy as np
import pytest
import soundfile

from earwitness.audio import AudioError, decode_audio
from earwitness.containers.flac import _frame_end

pytestmark = pytest.mark.smoke


def form(kind: int = 1, channels: int = 1, rate: int = 16_000, block: int = 2, bits: int = 16) -> bytes:
    return struct.pack("<HHIIHH", kind, channels, rate, rate * block, block, bits)


def wav(described: bytes, samples: bytes, front: bytes = b"") -> bytes:
    chunks = front + b"fmt " + struct.pack("<I", len(described)) + described
    chunks += b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


@pytest.mark.parametrize(
    ("described", "said"),
    [
        (form(block=4, bits=24), "contradicts itself: 1 channels of 24 bits and 4 bytes"),
        (form(block=7), "contradicts itself: 1 channels of 16 bits and 7 bytes"),
        (form(kind=6), "16 bits a sample of format 6"),
        (form(kind=3), "16 bits a sample of format 3; expected 32, 64 bits"),
        (form(block=8, bits=64), "64 bits a sample of format 1"),
        (form(channels=0), "0 channels at 16,000 Hz"),
        (form(rate=0), "1 channels at 0 Hz"),
        (form(kind=0x55), "a wav file of mp3"),
        (form(kind=0xFF), "a wav file of AAC"),
        (form(kind=0x1234), "format 0x1234"),
        (form()[:14], "14 bytes on the form"),
    ],
)
def test_a_wav_whose_form_is_unclear_is_refused_by_name(described: bytes, said: str) -> None:
    with pytest.raises(AudioError, match=said):
        decode_audio(wav(described, bytes(96_000)), "clip")


def test_a_wav_is_read_as_its_form_says() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    whole_numbers = (tone * (2**31 - 1)).astype("<i4")
    for described, samples in [
        (form(block=4, bits=32), whole_numbers.tobytes()),
        (form(block=3, bits=24), whole_numbers.view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()),
        (form(block=3, bits=20), whole_numbers.view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()),
        (form(block=2, bits=12), (whole_numbers >> 16).astype("<i2").tobytes()),
        (form(block=0), (whole_numbers >> 16).astype("<i2").tobytes()),
        (form(kind=3, block=8, bits=64), tone.astype("<f8").tobytes()),
    ]:
        for front in (b"", b"LIST\4\0\0\0INFO", b"junk\3\0\0\0abc\0"):
            np.testing.assert_allclose(decode_audio(wav(described, samples, front), "clip"), tone, atol=2e-4)


@pytest.mark.parametrize("cut", [4, 12, 20, 30])
def test_a_wav_that_ends_before_its_sound_is_refused(cut: int) -> None:
    with pytest.raises(AudioError, match="chunks end before the sound"):
        decode_audio(wav(form(), bytes(32_000))[:cut], "clip")


def test_a_wav_that_does_not_say_what_form_its_sound_has_is_refused() -> None:
    with pytest.raises(AudioError, match="what form it has"):
        decode_audio(wav(form(), bytes(32_000)).replace(b"fmt ", b"junk"), "clip")


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
def test_a_flac_with_its_frames_in_disorder_is_refused(subtype: str) -> None:
    """A decoder fills a missing frame with silence, and says nothing of the order."""
    sound = 0.3 * np.random.default_rng(1).standard_normal((40_000, 2)).clip(-3, 3)
    file = io.BytesIO()
    soundfile.write(file, sound, 16_000, format="FLAC", subtype=subtype)
    data = file.getvalue()
    assert len(decode_audio(data, "clip")) == 40_000
    starts = [
        place
        for place in range(42, len(data))
        if data.startswith(b"\xff\xf8", place) and _frame_end(data[place : place + 16], 4096) is not None
    ]
    second, third, fourth = starts[2:5]
    swapped = data[:second] + data[third:fourth] + data[second:third] + data[fourth:]
    another = data[:26] + bytes([data[26] ^ 1]) + data[27:]
    for damaged in (data[:second] + data[third:], swapped, data[:third] + data[second:], another):
        with pytest.raises(AudioError, match=r"MD5|decoded"):
            decode_audio(damaged, "clip")
    assert len(decode_audio(data[:26] + bytes(16) + data[42:], "clip")) == 40_000  # none stated
