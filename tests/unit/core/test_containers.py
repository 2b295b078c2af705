"""The length and the wholeness of files as phones, pipes and broken downloads leave them: whole, or refused by name."""

import io
import random
import struct

import numpy as np
import pytest
import soundfile

from earwitness.audio import SAMPLE_RATE, AudioError, decode_audio
from earwitness.containers import whole

pytestmark = pytest.mark.smoke


def encode(samples: np.ndarray, rate: int, kind: str, subtype: str | None = None, **options: object) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype, **options)
    return file.getvalue()


def noise_then_silence(rate: int, seconds: float, channels: int = 1) -> np.ndarray:
    """The first frames of a variable bit rate are large, so a guess from them is far too short."""
    samples = np.zeros((int(rate * seconds), channels))
    samples[: rate // 2] = np.random.default_rng(0).uniform(-0.5, 0.5, (rate // 2, channels))
    return samples


def silence_then_noise(rate: int, seconds: float, channels: int = 1) -> np.ndarray:
    return noise_then_silence(rate, seconds, channels)[::-1]


def frame_bytes(mp3: bytes) -> int:
    """Bytes of the first frame, by the rule for layer III, independent of the code under test."""
    version_1 = mp3[1] & 0x08
    kbps = (
        [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
        if version_1
        else [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
    )[mp3[2] >> 4]
    rate = [44_100, 48_000, 32_000][mp3[2] >> 2 & 3] // {0x18: 1, 0x10: 2, 0: 4}[mp3[1] & 0x18]
    return (144 if version_1 else 72) * kbps * 1000 // rate + (mp3[2] >> 1 & 1)


def vbr(rate: int, seconds: float, channels: int, make=noise_then_silence) -> bytes:
    return encode(make(rate, seconds, channels), rate, "MP3", bitrate_mode="VARIABLE", compression_level=0.5)


@pytest.mark.parametrize("make", [noise_then_silence, silence_then_noise])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_an_mp3_without_its_xing_header_is_whole(rate: int, channels: int, make) -> None:
    mp3 = vbr(rate, 6.0, channels, make)
    assert b"Xing" in mp3[:200]
    bare = mp3[frame_bytes(mp3) :]
    for tags in (b"", b"ID3\x04\0\0\0\0\x01\0" + bytes(128)):
        clip = decode_audio(tags + bare + (b"TAG" + bytes(125) if tags else b""), "clip")
        assert 6.0 <= len(clip) / SAMPLE_RATE < 6.0 + 4 * 1152 / rate  # delay and padding of the encoder are not known


def test_a_xing_header_that_states_too_few_frames_is_not_believed() -> None:
    mp3 = vbr(16_000, 3.0, 1)
    joined = mp3 + mp3  # what `cat a.mp3 b.mp3` makes: the first header counts the first half
    assert len(decode_audio(joined, "clip")) / SAMPLE_RATE == pytest.approx(6.0, abs=0.4)


def test_padding_between_frames_is_passed_over_and_not_counted() -> None:
    mp3 = vbr(16_000, 1.0, 1)
    bare, padded, frames = mp3[frame_bytes(mp3) :], b"", 0
    while bare:
        size = frame_bytes(bare)
        padded, bare, frames = padded + bare[:size] + bytes(frames % 4), bare[size:], frames + 1
    found = whole(padded, "clip")
    place = found.index(b"Xing")
    assert place < 64 and struct.unpack(">II", found[place + 4 : place + 12]) == (1, frames)
    assert found.endswith(padded)


def test_an_mp3_with_a_true_header_is_not_touched() -> None:
    mp3 = vbr(44_100, 2.0, 2)
    assert whole(mp3, "clip") == mp3


def test_a_flac_of_unknown_length_is_whole() -> None:
    for samples, rate, channels, subtype in [
        (50_001, 16_000, 1, "PCM_16"), (4_096, 48_000, 2, "PCM_24"),
        (4_097, 44_100, 1, "PCM_S8"), (100, 8_000, 6, "PCM_16"),
    ]:  # fmt: skip
        sound = np.random.default_rng(samples).uniform(-0.5, 0.5, (samples, channels))
        known = encode(sound, rate, "FLAC", subtype)
        np.testing.assert_array_equal(decode_audio(unknown(known), "clip"), decode_audio(known, "clip"))


def unknown(flac: bytes) -> bytes:
    data = bytearray(flac)
    data[21] &= 0xF0  # the 36-bit sample count of STREAMINFO, 0: not known
    data[22:26] = bytes(4)
    return bytes(data)


def test_a_flac_of_unknown_length_that_is_too_long_is_refused_with_its_length() -> None:
    flac = unknown(encode(np.zeros(40 * 16_000), 16_000, "FLAC"))
    with pytest.raises(AudioError, match=r"lasts 40\.00 s"):
        decode_audio(flac, "clip")


KINDS = [
    ("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAVEX", "PCM_24"), ("RF64", "PCM_16"), ("FLAC", "PCM_16"),
    ("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"), ("OGG", "OPUS"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
def test_a_file_that_is_cut_off_anywhere_is_refused(kind: str, subtype: str) -> None:
    sound = 0.3 * np.random.default_rng(1).standard_normal(2 * 16_000).clip(-3, 3)
    data = encode(sound, 16_000, kind, subtype)
    assert len(decode_audio(data, "clip")) == len(sound)
    for versions in (data, unknown(data) if kind == "FLAC" else data):
        for kept in np.linspace(0.02, 0.995, 40):
            with pytest.raises(AudioError):
                decode_audio(versions[: int(kept * len(versions))], "clip")


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
def test_no_damaged_byte_shortens_a_clip_in_silence(kind: str, subtype: str) -> None:
    sound = 0.3 * np.random.default_rng(1).standard_normal(2 * 16_000).clip(-3, 3)
    data = encode(sound, 16_000, kind, subtype)
    for seed in range(80):
        place = random.Random(seed).randrange(200, len(data))  # behind the headers that say what the length is
        damaged = data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]
        try:
            assert len(decode_audio(damaged, "clip")) == len(sound)
        except AudioError:
            continue


@pytest.mark.parametrize("size", [0, 0x7FFF_F000, 0x8000_0000, 0xFFFF_FFFF])
def test_a_wav_that_was_written_into_a_pipe_is_whole(size: int) -> None:
    wav = bytearray(encode(np.full(16_000, 0.25), 16_000, "WAV", "PCM_16"))
    place = wav.index(b"data") + 4
    wav[place : place + 4] = wav[4:8] = struct.pack("<I", size)
    assert len(decode_audio(bytes(wav), "clip")) == 16_000


def test_oggs_joined_end_to_end_are_refused() -> None:
    ogg = encode(np.zeros(16_000), 16_000, "OGG", "VORBIS")
    with pytest.raises(AudioError, match="holds more than one stream"):
        decode_audio(ogg + ogg, "clip")


def test_a_missing_page_is_named() -> None:
    ogg = encode(0.3 * np.random.default_rng(1).standard_normal(4 * 16_000).clip(-3, 3), 16_000, "OGG", "VORBIS")
    pages = [b"OggS" + page for page in ogg.split(b"OggS")[1:]]
    assert len(pages) > 5
    with pytest.raises(AudioError, match="a page is missing"):
        decode_audio(b"".join(pages[:3] + pages[4:]), "clip")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(500), "MP4"),
        (b"\0\0\0\x18ftyp3gp4" + bytes(500), "MP4"),
        (b"\x1a\x45\xdf\xa3" + bytes(500), "WebM"),
        (b"#!AMR\n" + bytes(500), "AMR"),
        (b"#!AMR-WB\n" + bytes(500), "AMR"),
        (b"\xff\xf1\x50\x80" + bytes(500), "AAC"),
        (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(500), "wma"),
        (b"FORM\0\0\0\0AIFF" + bytes(500), "AIFF"),
        (b"caff\0\1\0\0" + bytes(500), "Core Audio"),
    ],
)
def test_what_phones_and_browsers_make_is_refused_by_name(data: bytes, kind: str) -> None:
    with pytest.raises(AudioError, match=kind) as caught:
        decode_audio(data, "clip")
    assert "flac" in caught.value.expected


def sound(seconds: float = 2.0) -> np.ndarray:
    return 0.3 * np.random.default_rng(1).standard_normal(int(seconds * 16_000)).clip(-3, 3)


@pytest.mark.parametrize("stated", [1, 16_000, 31_999, 32_001, 64_000, (1 << 36) - 1])
def test_a_flac_that_misstates_its_length_is_refused_with_both_lengths(stated: int) -> None:
    flac = bytearray(encode(sound(), 16_000, "FLAC"))
    bits = int.from_bytes(flac[18:26], "big") >> 36 << 36 | stated
    flac[18:26] = bits.to_bytes(8, "big")
    with pytest.raises(AudioError, match=f"states {stated:,} samples and holds 32,000"):
        decode_audio(bytes(flac), "clip")


def test_flacs_joined_end_to_end_are_refused() -> None:
    flac = encode(sound(), 16_000, "FLAC")
    for joined in (flac + flac, unknown(flac) + unknown(flac)):
        with pytest.raises(AudioError, match="more than one stream"):
            decode_audio(joined, "clip")


def test_a_flac_made_of_headers_is_looked_through_once(monkeypatch) -> None:
    """Each header that might be the last frame's costs a walk to the end; a file of nothing else must not cost many."""
    from earwitness.containers import flac

    walks = []
    monkeypatch.setattr(flac, "_is_last", lambda data, place: walks.append(place))
    real = unknown(encode(sound(), 16_000, "FLAC"))
    frame = real.index(b"\xff\xf8", 42)
    with pytest.raises(AudioError, match="whole frame"):
        whole(real + real[frame : frame + 10] * 1_000, "clip")
    assert 0 < len(walks) < 10


@pytest.mark.parametrize("share", [0.25, 0.5, 0.999])
def test_a_wav_that_states_less_sound_than_follows_is_refused(share: float) -> None:
    wav = bytearray(encode(sound(), 16_000, "WAV", "PCM_16"))
    place = wav.index(b"data") + 4
    wav[place : place + 4] = struct.pack("<I", int(32_000 * share) * 2)
    with pytest.raises(AudioError, match="bytes of sound, and 64,000 follow"):
        decode_audio(bytes(wav), "clip")


@pytest.mark.parametrize("size", [0, 36, 64_036, 0xFFFF_FFFF])
def test_a_wav_whose_writer_never_said_how_much_sound_there_is_is_whole(size: int) -> None:
    wav = bytearray(encode(sound(), 16_000, "WAV", "PCM_16"))
    place = wav.index(b"data") + 4
    wav[place : place + 4], wav[4:8] = bytes(4), struct.pack("<I", size)
    assert len(decode_audio(bytes(wav), "clip")) == 32_000


@pytest.mark.parametrize("behind", [b"", b"\0" * 7, b"LIST\4\0\0\0INFO", b"TAG" + bytes(125)])
def test_what_stands_behind_a_wavs_sound_is_no_sound(behind: bytes) -> None:
    assert len(decode_audio(encode(sound(), 16_000, "WAV", "PCM_16") + behind, "clip")) == 32_000


@pytest.mark.parametrize(("kind", "subtype"), [*KINDS, ("MP3", None)])
def test_tags_around_a_file_are_neither_sound_nor_damage(kind: str, subtype: str | None) -> None:
    data = encode(sound(), 16_000, kind, subtype)
    for front in (b"ID3\3\0\0\0\0\0\0", b"ID3\4\0\0\0\0\1\0" + bytes(128)):
        assert len(decode_audio(front + data, "clip")) == 32_000
    lyrics = b"LYRICSBEGIN" + b"IND00002" + b"10" + b"000019LYRICS200"
    for behind in (bytes(100), b"TAG+" + b"x" * 223 + b"TAG" + b"y" * 125, *([lyrics] if kind == "MP3" else [])):
        assert len(decode_audio(data + behind, "clip")) == 32_000


def test_a_tag_that_would_hide_the_sound_behind_it_is_none() -> None:
    mp3 = vbr(16_000, 3.0, 1)
    bare = mp3[frame_bytes(mp3) :]
    place = 0
    for _ in range(15):
        place += frame_bytes(bare[place:])
    hiding = b"APETAGEX\xd0\x07\0\0" + struct.pack("<I", 1 << 30) + bytes(16)
    with pytest.raises(AudioError, match="damaged"):
        decode_audio(bare[:place] + hiding + bare[place:], "clip")


@pytest.mark.parametrize(("position", "problem"), [(0, "back in time"), (8_000, "back in time"), (-1, "cut off")])
@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_a_last_page_with_an_impossible_position_is_refused(subtype: str, position: int, problem: str) -> None:
    """libsndfile takes the last page's position for the length of the clip."""
    from earwitness.containers.ogg import _crc

    ogg = encode(sound(4.0), 16_000, "OGG", subtype)
    last = ogg.rindex(b"OggS")
    page = bytearray(ogg[last:])
    page[6:14] = position.to_bytes(8, "little", signed=True)
    page[22:26] = _crc(bytes(page)).to_bytes(4, "little")
    with pytest.raises(AudioError, match=problem):
        decode_audio(ogg[:last] + bytes(page), "clip")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "pointer of Git LFS"),
        (b"\xef\xbb\xbf\r\n<!DOCTYPE html><html>404 Not Found</html>", "page of HTML or XML"),
        (b'{"error": "no such key"}', "JSON"),
        (b"PK\3\4" + bytes(100), "ZIP"),
        (b"\x1f\x8b\x08" + bytes(100), "gzip"),
        (b"ID3\4\0\0\0\0\0\4abcd\xff\xf1\x50\x80" + bytes(500), "AAC"),
        (b"RIFF\0\0\1\0AVI LIST" + bytes(100), "AVI"),
        (b"\0\0\0\x08wide\0\0\0\0mdat" + bytes(100), "QuickTime"),
        (b"no sound at all, only words", "cannot be decoded"),
    ],
)
def test_what_a_failed_download_leaves_is_named(data: bytes, said: str) -> None:
    with pytest.raises(AudioError, match=said) as caught:
        decode_audio(data, "clip")
    assert "0x" not in str(caught.value)
