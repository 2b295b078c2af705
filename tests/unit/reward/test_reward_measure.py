"""Measurements against clips whose facts are known, at 25 dB signal-to-noise ratio."""

from __future__ import annotations

import numpy as np
import pytest

from reward.measure import measure

CLIPS = 30
WAVES = ["sine", "square", "sawtooth"]


@pytest.mark.parametrize("wave", [*WAVES, "noise"])
def test_every_event_is_found_with_onset_length_level_pitch_and_wave(clips, wave):
    rng = np.random.default_rng([5, len(wave)])
    for _ in range(CLIPS // 2):
        clip = clips.tones(rng, int(rng.integers(1, 6)), 25.0, wave, spread_db=10.0)
        events = measure(clip.samples).events
        assert len(events) == len(clip.onsets)
        for event, onset, seconds, pitch, level in zip(
            events, clip.onsets, clip.durations, clip.pitches, clip.levels, strict=True
        ):
            assert event.start == pytest.approx(onset, abs=0.015)
            assert event.duration == pytest.approx(seconds, abs=0.04)
            assert event.level == pytest.approx(level, abs=1.0)
            assert event.wave == wave
            if wave == "noise":
                assert event.pitch is None
            else:
                assert event.pitch == pytest.approx(pitch, rel=0.03)


def test_relative_level_within_one_and_a_half_db(clips):
    rng = np.random.default_rng(11)
    for _ in range(CLIPS):
        clip = clips.tones(rng, 2, 25.0, str(rng.choice([*WAVES, "noise"])), spread_db=13.0, shortest=0.2)
        first, second = measure(clip.samples).events
        assert first.level - second.level == pytest.approx(clip.levels[0] - clip.levels[1], abs=1.5)


@pytest.mark.parametrize("direction", [1, -1, 0])
def test_both_ends_of_a_glide(clips, direction):
    rng = np.random.default_rng(7 + direction)
    for index in range(CLIPS // 2):
        clip = clips.glide(rng, direction, 25.0, WAVES[index % 3])
        (event,) = measure(clip.samples).events
        assert event.pitch_start == pytest.approx(clip.sweep[0], rel=0.03)
        assert event.pitch_end == pytest.approx(clip.sweep[1], rel=0.03)


def test_gaps_between_onsets(clips):
    rng = np.random.default_rng(13)
    for _ in range(CLIPS):
        gaps = rng.uniform(0.09, 0.4, int(rng.integers(3, 9))).tolist()
        rhythm = measure(clips.pulses(rng, gaps).samples).rhythm
        assert rhythm is not None
        assert rhythm.gaps == pytest.approx(gaps, abs=0.025)


@pytest.mark.parametrize(("start", "stop", "sign"), [(0.3, 0.15, -1), (0.12, 0.3, 1), (0.2, 0.2, 0)])
def test_rhythm_tells_speeding_up_from_slowing_down(clips, start, stop, sign):
    rng = np.random.default_rng(17)
    for _ in range(10):
        rhythm = measure(clips.pulses(rng, np.geomspace(start, stop, 5).tolist()).samples).rhythm
        assert rhythm is not None
        assert rhythm.change == pytest.approx(np.log2(stop / start), abs=0.1)
        assert np.sign(round(rhythm.change, 1)) == sign


def test_tones_without_a_gap_are_parted_where_the_pitch_jumps(clips):
    rng = np.random.default_rng(19)
    for _ in range(10):
        low = rng.uniform(200, 500)
        parts = [(0.1, clips.tone(low, 0.25), -20.0), (0.345, clips.tone(low * 1.4, 0.25), -20.0)]
        events = measure(clips.mix(parts, 0.8, 25.0, rng)).events
        assert [e.pitch for e in events] == [pytest.approx(low, rel=0.03), pytest.approx(low * 1.4, rel=0.03)]


def test_noise_and_silence_have_no_pitch(clips):
    rng = np.random.default_rng(23)
    noise = (rng.standard_normal(32_000) * 0.1).astype(np.float32)
    (event,) = measure(noise).events
    assert (event.pitch, event.wave) == (None, "noise")
    assert measure(np.zeros(16_000, np.float32)).events == ()
    hiss = (rng.standard_normal(16_000) * 10 ** (-80 / 20)).astype(np.float32)
    assert measure(hiss).events == ()


def test_a_sound_that_fills_the_clip_is_one_event(clips):
    (event,) = measure((0.1 * clips.tone(330, 1.0)).astype(np.float32)).events
    assert event.pitch == pytest.approx(330, rel=0.01)
    assert event.duration == pytest.approx(1.0, abs=0.04)


@pytest.mark.parametrize("samples", [1, 7, 160, 799, 801])
def test_very_short_clips_are_measured(samples):
    measurement = measure(np.full(samples, 0.1, np.float32))
    assert measurement.duration == samples / 16_000


def test_a_dc_offset_changes_nothing(clips):
    clip = clips.tones(np.random.default_rng(29), 3)
    plain, shifted = measure(clip.samples), measure(clip.samples + np.float32(0.1))
    assert len(plain.events) == len(shifted.events) == 3
    for a, b in zip(plain.events, shifted.events, strict=True):
        assert b.pitch == pytest.approx(a.pitch, rel=0.01)


def test_measuring_is_deterministic(clips):
    clip = clips.tones(np.random.default_rng(31), 4)
    assert measure(clip.samples).events == measure(clip.samples).events
