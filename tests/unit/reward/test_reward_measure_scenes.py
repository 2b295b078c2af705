"""Measurements of chords, partials, repetition, pauses and brightness over time, within the errors that are stated."""

from __future__ import annotations

import numpy as np
import pytest

from reward.families.stretches import section
from reward.measure import measure
from reward.measure.facts import Repetition
from reward.statements import Span

SAW = [1 / k for k in range(1, 9)]


@pytest.mark.parametrize("ratios", [[1, 1.5], [1, 1.25, 1.5], [1, 1.2, 1.5, 1.78]], ids=len)
def test_notes_at_once(scenes, ratios):
    rng = np.random.default_rng(len(ratios))
    for amplitudes in ([1.0], SAW):
        root = float(rng.uniform(200, 400))
        notes = [root * ratio for ratio in ratios]
        clip = scenes.place([(0.1, scenes.chord(notes, 0.5, amplitudes, rng), -20.0)], 0.8, -45.0, rng)
        (event,) = measure(clip).events
        assert event.notes == pytest.approx(notes, rel=0.02)
        assert event.pitch == event.notes[0]


@pytest.mark.parametrize("wave", ["sine", "square", "sawtooth", "noise"])
def test_one_sound_is_no_chord(clips, wave):
    rng = np.random.default_rng(4)
    for _ in range(5):
        events = measure(clips.tones(rng, 4, 25.0, wave).samples).events
        assert all(event.notes == () for event in events)
    assert measure(clips.glide(rng, 1, 25.0, "square").samples).events[0].notes == ()


def test_levels_of_partials(scenes):
    rng = np.random.default_rng(5)
    amplitudes = [1.0, 0.5, 0.25, 0.5, 0.1]
    clip = scenes.place([(0.1, scenes.partials(310, 0.5, amplitudes, rng), -20.0)], 0.8, -60.0, rng)
    (event,) = measure(clip).events
    assert event.partials[:5] == pytest.approx(20 * np.log10(amplitudes), abs=2.0)
    assert max(event.partials[5:8]) < -30


@pytest.mark.parametrize(("length", "times"), [(1, 4), (2, 3), (3, 2), (4, 3)])
def test_repetition(scenes, length, times):
    rng = np.random.default_rng(length)
    scale = [300, 500, 400, 700]
    parts = [(0.1 + 0.3 * i + 0.2 * (i // length), scenes.partials(scale[i % length], 0.12, SAW, rng), -20.0)
             for i in range(length * times)]  # fmt: skip
    found = measure(scenes.place(parts, parts[-1][0] + 0.4, -50.0, rng)).repetition
    assert isinstance(found, Repetition)
    assert (found.times, found.events) == (times, length)
    assert found.seconds == pytest.approx(0.3 * length + 0.2, abs=0.02)


def test_a_scale_does_not_repeat(scenes):
    rng = np.random.default_rng(6)
    hertz = np.geomspace(200, 800, 7)
    parts = [(0.1 + 0.3 * i, scenes.partials(hz, 0.12, SAW, rng), -20.0) for i, hz in enumerate(hertz)]
    assert measure(scenes.place(parts, 2.4, -50.0, rng)).repetition is False


def test_pauses(scenes):
    rng = np.random.default_rng(7)
    parts = [(onset, scenes.partials(400, 0.2, SAW, rng), -20.0) for onset in (0.1, 0.8, 1.2)]
    assert measure(scenes.place(parts, 1.6, -55.0, rng)).pauses == pytest.approx([0.5, 0.2], abs=0.03)


def test_stretches_of_one_sound(scenes):
    rng = np.random.default_rng(8)
    hiss = scenes.edged(rng.standard_normal(16_000)) * 0.1
    tone = scenes.partials(300, 1.0, [1.0], rng)
    measurement = measure(scenes.place([(0.3, tone, -20.0), (1.3, tone, -12.0), (1.3, hiss, 0.0)], 2.6, -70.0, rng))
    early, late = section(measurement, Span(0.0, 1.3)), section(measurement, Span(1.3, 2.6))
    assert early.level == pytest.approx(-20, abs=1)
    assert early.pitch == pytest.approx(300, rel=0.02)
    assert early.centroid == pytest.approx(300, rel=0.15)
    assert late.level is not None
    assert late.level > -18
    assert late.centroid is not None
    shares = 10**-1.2, 10**-2.0  # power of the tone at 300 Hz, and of the hiss, whose middle is 4 kHz
    assert late.centroid == pytest.approx((300 * shares[0] + 4000 * shares[1]) / sum(shares), rel=0.1)


@pytest.mark.parametrize("rate", [3.0, 4.5])
def test_syllables_of_a_pulse_train(scenes, rate):
    clip, seconds = scenes.syllables(12, rate, np.random.default_rng(9))
    found = measure(clip).syllables
    assert found is not None
    assert found.count == pytest.approx(12, rel=0.15)
    assert found.rate == pytest.approx(12 / seconds, rel=0.15)


def test_speech_has_a_pitch_across_its_consonants(scenes):
    if not scenes.espeak_installed():
        pytest.skip("espeak-ng is not installed")
    measurement = measure(scenes.espeak("Nobody knows what happened to the boat.", 150, "en"))
    pitches = [event.pitch for event in measurement.events if event.duration > 0.3]
    assert pitches
    assert all(pitch is not None and 80 < pitch < 130 for pitch in pitches)
