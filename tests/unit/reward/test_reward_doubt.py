"""Contradicted means contradicted: what cannot be told is not checkable, with the reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from earwitness.audio import SAMPLE_RATE
from reward.measure import Event, measure
from reward.measure.facts import Samples
from reward.measure.second import bears_out, repeats
from reward.statements import Change, Comparison, Count, Counted, Quantity, Relation, Value
from reward.verify import check

Q = Quantity


def _times(seconds: float) -> np.ndarray:
    return np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def _pedalled(notes: list[float], gap: float = 0.5) -> Samples:
    """Struck notes of five partials each, which all ring on over a faint hiss."""
    times = _times(0.3 + gap * len(notes) + 1.5)
    clip = 1e-4 * np.random.default_rng(1).standard_normal(len(times))
    for number, hertz in enumerate(notes):
        since = times - 0.3 - gap * number
        tone = sum(np.sin(2 * np.pi * hertz * k * since) / k**1.5 for k in range(1, 6))
        clip += np.where(since >= 0, 0.1 * tone * np.exp(-np.maximum(since, 0) / 1.2), 0)
    return clip.astype(np.float32)


def test_the_pitch_of_a_note_that_is_struck_while_others_ring_is_its_own() -> None:
    notes = [262.0, 311.0, 370.0]
    measured = measure(_pedalled(notes))
    assert [event.start for event in measured.events] == pytest.approx([0.3, 0.8, 1.3], abs=0.02)
    for event, hertz in zip(measured.events, notes, strict=True):
        if event.pitch_sure:
            assert event.pitch == pytest.approx(hertz, rel=0.02)
    assert check(Change(Q.PITCH, None, Relation.MORE), measured).holds is not False
    assert check(Change(Q.PITCH, None, Relation.LESS), measured).holds is not True


def test_the_second_method_bears_out_an_f0_and_not_its_double_or_half() -> None:
    times = _times(0.6)
    tone = sum(np.sin(2 * np.pi * 150 * k * times) / k for k in range(1, 12)).astype(np.float32)
    frames = np.linspace(0, 0.6, 50)
    assert bears_out(tone, np.full(50, 150.0), frames)
    assert not bears_out(tone, np.full(50, 300.0), frames)
    assert not bears_out(tone, np.full(50, 75.0), frames)
    assert repeats(tone)
    assert not repeats(np.random.default_rng(0).standard_normal(9_600).astype(np.float32))


def test_of_a_pitch_on_which_two_methods_differ_nothing_is_told(clips) -> None:
    rng = np.random.default_rng(2)
    measured = measure(clips.mix([(0.2, clips.tone(440, 0.5), -20.0)], 1.0, 35.0, rng))
    assert check(Value(Q.PITCH, None, 440.0), measured).holds is True
    assert check(Value(Q.PITCH, None, 700.0), measured).holds is False
    unsure = replace(measured, events=(replace(measured.events[0], pitch_sure=False),))
    for hertz in (440.0, 700.0):
        finding = check(Value(Q.PITCH, None, hertz), unsure)
        assert finding.holds is None
        assert "two methods" in finding.measured
    assert check(Value(Q.DURATION, None, 0.5), unsure).holds is True


def test_a_sound_that_may_be_none_leaves_the_count_and_the_numbers_open(clips) -> None:
    measured = measure(clips.tones(np.random.default_rng(7), 3, 30.0).samples)
    first, second, third = measured.events
    open_ = replace(measured, events=(first, replace(second, sure=False), third))
    assert [check(Count(n), measured).holds for n in (1, 2, 3)] == [False, False, True]
    assert [check(Count(n), open_).holds for n in (1, 2, 3)] == [False, None, None]
    for number, expected in ((1, True), (3, None)):
        event: Event = measured.events[number - 1]
        assert check(Value(Q.PITCH, number, event.pitch or 0.0), open_).holds is expected


def test_a_swell_is_no_second_sound_and_a_stroke_in_it_is_one() -> None:
    times = _times(3.0)
    hum = np.sin(2 * np.pi * 110 * times) * (0.06 + 0.04 * np.sin(2 * np.pi * 0.7 * times))
    hum += 1e-4 * np.random.default_rng(3).standard_normal(len(times))
    assert len(measure(hum.astype(np.float32)).events) == 1
    since = times - 1.5
    tap = np.where(since >= 0, 0.4 * np.random.default_rng(4).standard_normal(len(times)) * np.exp(-since / 0.05), 0)
    starts = [event.start for event in measure((hum + tap).astype(np.float32)).events]
    assert min(abs(start - 1.5) for start in starts) < 0.02


def test_a_decay_ends_in_the_background() -> None:
    times = _times(2.5)
    decay = np.where(times >= 0.3, 0.3 * np.sin(2 * np.pi * 500 * times) * np.exp(-(times - 0.3) / 0.15), 0)
    clip = decay + 3e-4 * np.random.default_rng(5).standard_normal(len(times))
    (event,) = measure(clip.astype(np.float32)).events
    # 20 dB down after 0.35 s; 40 dB down after 0.69 s
    assert 0.5 < event.duration < 0.95


def test_a_few_notes_at_once_are_told_from_a_row_of_them() -> None:
    times = _times(1.2)
    chord = sum(np.sin(2 * np.pi * hertz * times) for hertz in (330.0, 415.0, 494.0))
    row = np.concatenate([np.sin(2 * np.pi * hertz * _times(0.4)) for hertz in (330.0, 415.0, 494.0)])
    edge = np.minimum(1, np.minimum(times, times[-1] - times) / 0.01)
    noise = 1e-4 * np.random.default_rng(6).standard_normal(len(times) + 16_000)
    for sound, holds in ((chord, True), (row, False)):
        clip = np.pad(0.1 * sound[: len(edge)] * edge, 8_000) + noise
        assert (check(Count(3, Counted.NOTES), measure(clip.astype(np.float32))).holds is True) is holds


def test_what_is_wrong_however_the_clip_is_heard_is_contradicted(clips) -> None:
    """One more sound may begin within the first: no reading of the clip makes it the louder one, or as long."""
    first, second = clips.tone(440, 1.0), clips.tone(330, 0.5)
    measured = measure(clips.mix([(0.2, first, -18.0), (1.6, second, -30.0)], 2.4, 40.0, np.random.default_rng(8)))
    open_ = replace(measured, doubtful=(0.7,), most=3)
    assert check(Value(Q.DURATION, 1, 2.0), open_).holds is False
    assert check(Comparison(Q.LEVEL, 2, 1, Relation.MORE), open_).holds is False
    assert check(Value(Q.DURATION, 1, 0.5), open_).holds is None  # as long as what may be the first of three
    assert check(Value(Q.PITCH, 2, 330.0), open_).holds is True
    assert check(Value(Q.PITCH, 2, 440.0), open_).holds is None
    assert check(Count(5, Counted.REPEATS), open_).holds is False


def _vowels(rng: np.random.Generator, hertz: float = 190.0) -> Samples:
    """Speech without words: harmonics under formants, whose F0 moves on in every syllable."""
    parts = []
    for _ in range(7):
        times = _times(0.22)
        course = hertz * 2 ** (rng.uniform(-0.1, 0.1) + np.linspace(0.14, -0.14, len(times)) * rng.choice([-1, 1]))
        phase = 2 * np.pi * np.cumsum(course) / SAMPLE_RATE
        formants = [1 / (1 + ((k * hertz - rng.uniform(400, 800)) / 300) ** 2) for k in range(1, 15)]
        tone = sum(weight * np.sin(k * phase) for k, weight in enumerate(formants, 1))
        parts += [0.1 * tone * np.hanning(len(times)) ** 0.5, np.zeros(int(0.06 * SAMPLE_RATE))]
    return np.concatenate(parts).astype(np.float32)


def test_of_a_voice_the_whole_has_one_onset_and_one_pitch_and_no_chord(clips) -> None:
    rng = np.random.default_rng(11)
    measured = measure(clips.mix([(0.6, _vowels(rng), -20.0)], 3.0, 45.0, rng))
    assert check(Value(Q.ONSET, None, 0.6), measured).holds is True
    assert check(Value(Q.ONSET, None, 1.2), measured).holds is False  # a word within the phrase
    assert check(Value(Q.PITCH, None, 190.0), measured).holds is True
    assert check(Value(Q.PITCH, None, 290.0), measured).holds is False
    assert check(Count(3, Counted.NOTES), measured).holds is False


def test_noise_is_no_chord(clips) -> None:
    rng = np.random.default_rng(12)
    hiss = rng.standard_normal(2 * SAMPLE_RATE).astype(np.float32)
    assert check(Count(3, Counted.NOTES), measure(clips.mix([(0.3, hiss, -20.0)], 3.0, 40.0, rng))).holds is False


def test_a_faint_peak_below_the_notes_takes_none_of_them_and_a_stray_one_far_above_is_none(clips) -> None:
    rng = np.random.default_rng(13)
    times = _times(1.0)
    parts = {52.0: 0.008, 104.0: 1.0, 131.0: 1.0, 156.0: 0.8, 208.0: 0.4, 262.0: 0.4, 312.0: 0.3, 2731.0: 0.12}
    wave = sum(height * np.sin(2 * np.pi * hertz * times) for hertz, height in parts.items())
    measured = measure(clips.mix([(0.3, (0.1 * wave * np.hanning(len(times)) ** 0.2), -20.0)], 1.6, 50.0, rng))
    assert measured.events[0].notes == pytest.approx((104.0, 131.0, 156.0), rel=0.02)
