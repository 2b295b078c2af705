"""Clips of every format and rate, and everything that can be wrong with a file."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earwitness import audio
from earwitness.audio import SAMPLE_RATE, AudioError, content_hash, decode_audio, read_audio, silence
from earwitness.errors import InputError

pytestmark = pytest.mark.smoke


def tone(rate: int, seconds: float = 0.5, hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


def encode(samples: np.ndarray, rate: int, kind: str, subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def peak_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * SAMPLE_RATE / len(samples))


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "ogg"])
@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_a_tone_keeps_its_pitch_level_and_length(tmp_path: Path, kind: str, rate: int) -> None:
    path = tmp_path / f"tone.{kind}"
    soundfile.write(path, tone(rate), rate)
    clip = read_audio(str(path))
    assert clip.dtype == np.float32
    assert clip.ndim == 1
    assert len(clip) == pytest.approx(SAMPLE_RATE // 2, abs=SAMPLE_RATE * 0.1)  # mp3 pads whole blocks at both ends
    assert peak_hz(clip) == pytest.approx(440, abs=4)
    assert np.abs(clip[1000:7000]).max() == pytest.approx(0.5, abs=0.05)


def test_16_kilohertz_is_not_touched() -> None:
    samples = tone(SAMPLE_RATE)
    np.testing.assert_array_equal(decode_audio(encode(samples, SAMPLE_RATE, "WAV", "FLOAT"), "clip"), samples)


def test_channels_are_averaged() -> None:
    left, right = tone(SAMPLE_RATE), np.zeros(SAMPLE_RATE // 2, dtype=np.float32)
    mixed = decode_audio(encode(np.stack([left, right], axis=1), SAMPLE_RATE, "WAV", "FLOAT"), "clip")
    np.testing.assert_allclose(mixed, left / 2, atol=1e-7)


def test_a_clip_longer_than_one_block_is_whole() -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 200_001).astype(np.float32)
    np.testing.assert_array_equal(decode_audio(encode(samples, SAMPLE_RATE, "WAV", "FLOAT"), "clip"), samples)


def test_other_stores_work() -> None:
    fsspec = pytest.importorskip("fsspec")
    with fsspec.open("memory://clips/tone.wav", "wb") as file:
        file.write(encode(tone(SAMPLE_RATE), SAMPLE_RATE, "WAV"))
    assert len(read_audio("memory://clips/tone.wav")) == SAMPLE_RATE // 2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_audio_that_is_not_finite_is_refused(bad: float) -> None:
    samples = tone(SAMPLE_RATE)
    samples[100] = bad
    with pytest.raises(AudioError, match=r"clip\.wav: holds NaN or infinite samples; expected finite samples"):
        decode_audio(encode(samples, SAMPLE_RATE, "WAV", "FLOAT"), "clip.wav")


def test_a_64_bit_sample_beyond_float32_is_refused() -> None:
    samples = tone(SAMPLE_RATE).astype(np.float64)
    samples[100] = 1e300
    with pytest.raises(AudioError, match="holds NaN or infinite samples"):
        decode_audio(encode(samples, SAMPLE_RATE, "WAV", "DOUBLE"), "clip.wav")


def test_an_absurd_level_is_refused() -> None:
    with pytest.raises(AudioError, match="a sample of magnitude 5e"):
        decode_audio(encode(tone(SAMPLE_RATE) * 1e20, SAMPLE_RATE, "WAV", "FLOAT"), "clip.wav")


@pytest.mark.parametrize(
    ("data", "what"),
    [(b"", "the file is empty"), (b"RIFF", "cut off or damaged"), (b"not audio at all" * 100, "cannot be decoded")],
)
def test_a_file_that_is_not_audio_is_refused(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(data)
    with pytest.raises(AudioError, match=what) as caught:
        read_audio(str(path))
    assert caught.value.field == str(path)


def test_a_container_without_samples_is_refused() -> None:
    with pytest.raises(AudioError, match="holds no samples"):
        decode_audio(encode(np.zeros(0, dtype=np.float32), SAMPLE_RATE, "WAV"), "clip.wav")


def test_a_container_of_another_kind_is_refused() -> None:
    with pytest.raises(AudioError, match="AU"):
        decode_audio(encode(tone(SAMPLE_RATE), SAMPLE_RATE, "AU"), "clip.au")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.wav: no such file"):
        read_audio(str(tmp_path / "gone.wav"))


def test_a_folder_is_not_a_clip(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="cannot be read"):
        read_audio(str(tmp_path))


@pytest.mark.parametrize("uri", ["http://host/clip.wav", "reference::file://x", "clip\0.wav", "a" * 5000])
def test_a_uri_that_jobs_may_not_use_is_refused(uri: str) -> None:
    with pytest.raises(AudioError):
        read_audio(uri)


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_a_long_clip_is_refused_and_the_longest_is_not(rate: int) -> None:
    longest = np.zeros(int(29.98 * rate), dtype=np.float32)
    assert len(decode_audio(encode(longest, rate, "FLAC"), "clip")) == 479_680
    with pytest.raises(AudioError, match=r"lasts 30\.00 s or more; expected at most 29\.98 s"):
        decode_audio(encode(np.zeros(30 * rate, dtype=np.float32), rate, "FLAC"), "clip")


def test_a_header_that_understates_its_length_does_not_lift_the_limit() -> None:
    data = bytearray(encode(np.zeros(SAMPLE_RATE, dtype=np.float32), SAMPLE_RATE, "FLAC"))
    data[21] &= 0xF0  # the 36-bit sample count of STREAMINFO, 0: not known
    data[22:26] = bytes(4)
    with pytest.raises(AudioError):
        decode_audio(bytes(data), "clip", max_seconds=0.5)


def test_a_big_file_is_refused_without_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "MAX_BYTES", 2048)
    path = tmp_path / "big.wav"
    path.write_bytes(bytes(4096))
    with pytest.raises(AudioError, match="larger than 2 KiB"):
        read_audio(str(path))


@pytest.mark.parametrize("rate", [999, 768_001])
def test_an_absurd_rate_is_refused(rate: int) -> None:
    with pytest.raises(AudioError, match="sample rate"):
        decode_audio(encode(np.zeros(100, dtype=np.float32), rate, "WAV"), "clip")


def test_one_sample_at_a_high_rate_is_an_error_or_a_clip() -> None:
    try:
        assert len(decode_audio(encode(np.ones(1, dtype=np.float32), 192_000, "WAV"), "clip")) >= 1
    except AudioError as error:
        assert "too short" in str(error)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["WAV", "FLAC", "MP3", "OGG"]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    st.floats(0, 1),
)
def test_a_damaged_file_is_a_clip_or_a_typed_error(kind: str, flips: list[tuple[float, int]], kept: float) -> None:
    data = bytearray(encode(tone(SAMPLE_RATE, 0.2), SAMPLE_RATE, kind))
    for place, value in flips:
        data[int(place * len(data))] = value
    try:
        clip = decode_audio(bytes(data[: int(kept * len(data))]), "damaged")
    except AudioError as error:
        assert error.field == "damaged"
    else:
        assert clip.size >= 1
        assert np.isfinite(clip).all()


def test_silence_is_a_second_of_nothing() -> None:
    assert silence().shape == (SAMPLE_RATE,)
    assert silence().dtype == np.float32
    assert not silence().any()


def test_the_content_hash_is_128_bits_and_tells_files_apart() -> None:
    assert len(content_hash(b"a")) == 32
    assert content_hash(b"a") == content_hash(b"a") != content_hash(b"b")


def test_an_audio_error_is_an_input_error() -> None:
    assert issubclass(AudioError, InputError)
