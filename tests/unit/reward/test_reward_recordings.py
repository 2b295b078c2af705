"""Files as people have them: rates, widths, containers, lengths, clipping, offsets; and broken ones."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
import soundfile

from earwitness.audio import AudioError
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.grounding import check_claims
from reward.measure import measure_uri

SENTENCE = "There are two tones: the first is near 440 Hz, and the second is near 660 Hz and louder."


def two_tones(rate: int) -> np.ndarray:
    """440 Hz at 0.2-0.6 s, 660 Hz at 0.8-1.2 s and 8 dB louder, in noise."""
    times = np.arange(int(1.4 * rate)) / rate
    out = 0.1 * np.sin(2 * np.pi * 440 * times) * ((times > 0.2) & (times < 0.6))
    out += 0.25 * np.sin(2 * np.pi * 660 * times) * ((times > 0.8) & (times < 1.2))
    return out + 0.0005 * np.random.default_rng(5).standard_normal(len(times))


def supported(path: object) -> tuple[int, int]:
    grounding = check_claims(SENTENCE, trajectory_pb2.Prompt(), measure_uri(str(path)))
    return grounding.supported, grounding.contradicted


@pytest.mark.parametrize(
    ("name", "rate", "subtype"),
    [
        ("a.wav", 8_000, "PCM_16"), ("a.wav", 11_025, "PCM_U8"), ("a.wav", 16_000, "PCM_24"),
        ("a.wav", 22_050, "PCM_32"), ("a.wav", 44_100, "FLOAT"),
        ("a.wav", 48_000, "DOUBLE"), ("a.wav", 8_000, "ULAW"), ("a.flac", 32_000, "PCM_16"),
        ("a.ogg", 44_100, "VORBIS"), ("a.ogg", 48_000, "OPUS"), ("a.mp3", 44_100, "MPEG_LAYER_III"),
        ("a.mp3", 16_000, "MPEG_LAYER_III"),
    ],
)  # fmt: skip
def test_formats(tmp_path, name, rate, subtype):
    path = tmp_path / name
    soundfile.write(path, two_tones(rate), rate, subtype=subtype)
    assert supported(path) == (4, 0)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x + 0.3,
        lambda x: np.clip(10 * x, -0.95, 0.95),
        lambda x: np.stack([x, 0 * x], axis=1),
        lambda x: np.stack([x, x], axis=1),
        lambda x: 0.05 * x,
        lambda x: -x,
    ],
    ids=["offset", "clipped", "one silent channel", "equal channels", "quiet", "inverted"],
)
def test_conditions(tmp_path, change):
    path = tmp_path / "a.wav"
    soundfile.write(path, change(two_tones(16_000)), 16_000, subtype="FLOAT")
    assert supported(path) == (4, 0)


@pytest.mark.parametrize("seconds", [0.0001, 0.01, 0.05, 0.2])
def test_very_short_clips(tmp_path, seconds):
    path = tmp_path / "a.wav"
    times = np.arange(max(1, int(seconds * 16_000))) / 16_000
    soundfile.write(path, 0.2 * np.sin(2 * np.pi * 440 * times), 16_000)
    measurement = measure_uri(str(path))
    assert measurement.duration == pytest.approx(len(times) / 16_000)


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_silence_has_no_events(tmp_path, value):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(16_000, value), 16_000)
    measurement = measure_uri(str(path))
    assert measurement.events == ()
    assert check_claims("There is one beep near 440 Hz.", trajectory_pb2.Prompt(), measurement).supported == 0


@pytest.mark.parametrize("data", [b"", b"RIFF", b"\x00" * 4096, b"ID3\x04" + bytes(500), b"fLaC" + bytes(100), b"OggS"])
def test_broken_files_are_typed_errors(tmp_path, data):
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    with pytest.raises(AudioError):
        measure_uri(str(path))


def test_cut_off_files_are_measured_or_refused(tmp_path):
    path, cut = tmp_path / "a.flac", tmp_path / "b.flac"
    soundfile.write(path, two_tones(16_000), 16_000)
    cut.write_bytes(path.read_bytes()[:4_000])
    with contextlib.suppress(AudioError):
        assert measure_uri(str(cut)).duration <= 1.4
