"""Clips of a prompt, and their segments."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from earwitness.audio import SAMPLE_RATE, AudioError
from earwitness.errors import InputError
from earwitness.families.audioflamingo3 import AUDIOFLAMINGO3
from earwitness.families.qwen2_5_omni import QWEN2_5_OMNI
from earwitness.families.qwen2_audio import QWEN2_AUDIO
from earwitness.families.registry import FAMILIES, MADE
from earwitness.families.step_audio import STEP_AUDIO
from earwitness.hearing import MAX_SEGMENTS, Cut, check_segments, clip_uris, mel, pieces, read_segments, segments
from earwitness.logmel import frames
from earwitness.wire.trajectory.v1 import trajectory_pb2


def test_the_page_on_audio_tells_the_longest_clip_of_every_family() -> None:
    page = (Path(__file__).parents[3] / "docs/audio.md").read_text()
    told = re.findall(r"^\| [\w.\- ]+ \| ([\d.]+) s \|", page, re.MULTILINE)
    assert sorted(map(float, told)) == sorted(family.longest_seconds for family in FAMILIES)


@pytest.mark.parametrize("seconds", [0.01, 24.99, 25.0, 25.001, 60.2, 600.0])
def test_step_audio_hears_pieces_of_25_s(seconds: float) -> None:
    clip = np.arange(round(seconds * SAMPLE_RATE), dtype=np.float32)
    cut = segments(clip, STEP_AUDIO)
    assert np.array_equal(np.concatenate(cut), clip)
    assert [len(part) for part in cut[:-1]] == [25 * SAMPLE_RATE] * (len(cut) - 1) and 0 < len(
        cut[-1]
    ) <= 25 * SAMPLE_RATE
    assert all(STEP_AUDIO.audio_tokens(frames(len(part))) > 0 for part in cut)


@pytest.mark.parametrize(
    ("samples", "parts"),
    [(480_000, [480_000]), (480_001, [480_000]), (480_320, [480_000]), (480_321, [480_000, 321]), (8_000, [8_000])],
)
def test_audio_flamingo_hears_windows_of_30_s(samples: int, parts: list[int]) -> None:
    """A rest that makes no token, which its processor counts as none, is left out; a short clip is still there."""
    cut = segments(np.zeros(samples, dtype=np.float32), AUDIOFLAMINGO3)
    assert [len(part) for part in cut] == parts
    assert [mel(part, 4, AUDIOFLAMINGO3).shape[1] for part in cut] == [frames(n) for n in parts]
    assert len(segments(np.zeros(100, dtype=np.float32), AUDIOFLAMINGO3)) == 1


def test_the_quiet_at_a_clips_end_is_a_segment_of_its_own_where_there_is_more() -> None:
    clip = np.arange(24_000, dtype=np.float32)

    def lengths(way: Cut, samples: int = 24_000) -> list[int]:
        cut = segments(clip[:samples], MADE, way)
        assert np.array_equal(np.concatenate(cut), clip[:samples])
        return [len(part) for part in cut]

    assert lengths(Cut(25.0)) == [24_000]
    assert lengths(Cut(25.0, 0.3)) == [19_200, 4_800]
    assert lengths(Cut(0.5, 0.3)) == [8_000, 8_000, 3_200, 4_800]
    assert lengths(Cut(0.5, 0.3), 4_800) == [4_800]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_longest_clip_is_heard_and_a_longer_one_refused(tmp_path, family) -> None:
    """The error says how long a clip may be."""
    path = tmp_path / "clip.flac"
    longest = int(family.longest_seconds * 8_000)
    soundfile.write(path, np.zeros(longest, dtype=np.int16), 8_000)
    assert sum(map(len, read_segments(str(path), family))) == pytest.approx(2 * longest, abs=1)
    soundfile.write(path, np.zeros(longest + 800, dtype=np.int16), 8_000)
    with pytest.raises(AudioError, match=rf"lasts .* s or more; expected at most {family.longest_seconds:.2f} s"):
        read_segments(str(path), family)


@pytest.mark.parametrize("family", [QWEN2_AUDIO, QWEN2_5_OMNI])
def test_qwen_hears_a_clip_whole(family) -> None:
    clip = np.zeros(int(family.longest_seconds) * SAMPLE_RATE, dtype=np.float32)
    assert len(segments(clip, family)) == 1


def test_clips_in_order_of_the_words() -> None:
    one = trajectory_pb2.Prompt(question="Up?", audio_uri="a")
    assert clip_uris(one) == ("a",) and clip_uris(trajectory_pb2.Prompt(question="Up?")) == ()
    twice = [trajectory_pb2.PlacedClip(audio_uri="a", at=0), trajectory_pb2.PlacedClip(audio_uri="a", at=0)]
    two = trajectory_pb2.Prompt(question="Up?", clips=twice)
    assert clip_uris(two) == ("a", "a") and list(pieces(two)) == [("", "a"), ("", "a"), ("Up?", None)]


def test_more_segments_than_an_engine_takes_are_refused() -> None:
    check_segments("p", MAX_SEGMENTS)
    with pytest.raises(InputError, match=f"65 segments; expected at most {MAX_SEGMENTS}"):
        check_segments("p", MAX_SEGMENTS + 1)
