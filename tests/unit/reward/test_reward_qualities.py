"""Loudness, brightness, speaking rate, sides, long clips: measured on independent synthesis, claimed in sentences."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.grounding import check_claims
from reward.listen import main as listen
from reward.measure import measure, measure_uri

RATE = 16_000
YES, NO, OPEN = (
    trajectory_pb2.VERDICT_SUPPORTED,
    trajectory_pb2.VERDICT_CONTRADICTED,
    trajectory_pb2.VERDICT_NOT_CHECKABLE,
)


def babble(rate: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Syllables: a glottal pulse train through two vowel resonances, opened and closed `rate` times a second."""
    times = np.arange(int(seconds * RATE)) / RATE
    hz = 120 + 15 * np.sin(2 * np.pi * 0.4 * times)
    source = np.zeros(len(times))
    phase = np.cumsum(hz) / RATE
    for k in range(1, 30):
        formants = 1 / (1 + ((k * 120 - 600) / 200) ** 2) + 0.6 / (1 + ((k * 120 - 1400) / 250) ** 2)
        source += formants * np.sin(2 * np.pi * k * phase + rng.uniform(0, 6))
    envelope = 0.04 + np.sin(np.pi * rate * times) ** 2
    return (0.1 * source * envelope / np.abs(source).max() + 1e-4 * rng.standard_normal(len(times))).astype(np.float32)


@pytest.mark.parametrize("rate", [2.5, 4.0, 5.5])
def test_syllables(rate):
    found = measure(babble(rate, 4.0, np.random.default_rng(1))).syllables.rate
    assert found == pytest.approx(rate, rel=0.15)


def test_loudness_is_that_of_the_standard():
    tone = (0.1 * np.sin(2 * np.pi * 997 * np.arange(3 * RATE) / RATE)).astype(np.float32)
    assert measure(tone).loudness == pytest.approx(-23.0, abs=0.2)  # EBU Tech 3341, case 1, one channel 3 dB higher
    assert measure(tone[: RATE // 10]).loudness is None
    assert measure(np.zeros(RATE, np.float32)).loudness is None


def verdicts(uri_or_samples, *sentences: str) -> list[int]:
    measurement = measure_uri(uri_or_samples) if isinstance(uri_or_samples, str) else measure(uri_or_samples)
    found = []
    for sentence in sentences:
        (claim,) = check_claims(sentence, trajectory_pb2.Prompt(), measurement).claims
        found.append(claim.verdict)
    return found


def test_claims_of_loudness_and_rate():
    samples = babble(4.0, 4.0, np.random.default_rng(2))
    loudness = measure(samples).loudness
    assert verdicts(
        samples,
        f"The integrated loudness is about {loudness:.0f} LUFS.",
        f"The loudness is {loudness + 9:.0f} LUFS.",
        "The speaker says about 4 syllables per second.",
        "There are about 8 syllables per second.",
    ) == [YES, NO, YES, NO]


def test_claims_of_brightness_and_register(clips):
    rng = np.random.default_rng(3)
    parts = [(0.1, clips.tone(180, 0.5), -20.0), (0.8, clips.tone(1500, 0.5, "sawtooth"), -20.0)]
    samples = clips.mix(parts, 1.5, 35.0, rng)
    sentences = {
        "The second tone is bright.": YES, "The first tone is bright.": NO, "The first sounds dull.": YES,
        "The second is muffled.": NO, "The second is brighter than the first.": YES, "The first is brighter.": NO,
        "The first is low-pitched.": YES, "The second is low-pitched.": NO, "The second is a high-pitched beep.": YES,
        "The second has a spectral centroid near 2300 Hz.": YES, "The second has a centroid of 900 Hz.": NO,
        "The second is not bright.": NO,
    }  # fmt: skip
    assert dict(zip(sentences, verdicts(samples, *sentences), strict=True)) == sentences
    middling = clips.mix([(0.1, clips.tone(350, 0.5), -20.0)], 0.8, 35.0, rng)
    assert verdicts(middling, "It is high-pitched.") == [OPEN]


@pytest.fixture
def stereo(tmp_path):
    """stereo(left, right): a file whose channels are one noise times two gains `[samples]`."""

    def write(left, right) -> str:
        noise = 0.1 * np.random.default_rng(4).standard_normal(48_000)
        path = tmp_path / "stereo.wav"
        soundfile.write(path, np.stack([noise * left, noise * right], axis=1), 24_000)
        return str(path)

    return write


def test_sides(stereo):
    sentences = (
        "The sound is on the left.", "It comes from the right.", "It moves from left to right.",
        "It is in the middle.", "It is not on the left.",
    )  # fmt: skip
    assert verdicts(stereo(1.0, 0.3), *sentences) == [YES, NO, NO, NO, NO]
    assert verdicts(stereo(0.2, 1.0), *sentences) == [NO, YES, NO, NO, YES]
    assert verdicts(stereo(0.5, 0.5), *sentences)[3] == YES
    fade = np.linspace(0, 1, 48_000)
    assert verdicts(stereo(1 - fade, fade), *sentences)[2:4] == [YES, NO]


def test_one_channel_has_no_sides(two_tones):
    assert verdicts(two_tones, "The sound is on the left.") == [OPEN]


def test_right_and_left_in_other_senses_are_no_sides(two_tones):
    measurement = measure_uri(two_tones)
    for sentence in ("The right answer is left to you.", "That is right.", "Nothing is left."):
        assert not check_claims(sentence, trajectory_pb2.Prompt(), measurement).claims


def test_long_clips_are_measured(tmp_path, capsys):
    times = np.arange(40 * 8_000) / 8_000
    path = tmp_path / "long.flac"
    soundfile.write(path, 0.1 * np.sin(2 * np.pi * 300 * times) * (times % 10 < 1), 8_000)
    assert verdicts(str(path), "There are four tones.", "The clip lasts 40 s.") == [YES, YES]
    listen([str(path)], "There are four tones.")
    assert "1 of 1 checkable claims supported" in capsys.readouterr().out
