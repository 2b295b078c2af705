"""Strokes inside what still rings, and the beat: on sounds made here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from earwitness.audio import SAMPLE_RATE
from reward.measure import measure
from reward.measure.facts import Samples
from reward.measure.flux import find_onsets, measure_flux
from reward.statements import Change, Count, Counted, Not, Quantity, Regular, Relation, Value
from reward.verify import check


def _struck(onsets: list[float], length: float, hertz: float = 180.0, decay: float = 0.6) -> Samples:
    """A bar of wood: five inharmonic partials that start with a tap and ring on over each other, in faint noise."""
    times = np.arange(int(length * SAMPLE_RATE)) / SAMPLE_RATE
    clip = 1e-4 * np.random.default_rng(0).standard_normal(len(times))
    for onset in onsets:
        since = np.maximum(times - onset, 0)
        partials = sum(np.sin(2 * np.pi * hertz * r * since) / (k + 1) for k, r in enumerate((1, 2.76, 5.4, 8.9, 13.3)))
        clip += np.where(times >= onset, 0.15 * partials * np.exp(-since / decay), 0)
    return clip.astype(np.float32)


def test_a_stroke_inside_a_ringing_sound_is_an_event_of_its_own() -> None:
    onsets = [0.3, 0.75, 1.3, 1.65]
    events = measure(_struck(onsets, 3.5)).events
    np.testing.assert_allclose([event.start for event in events], onsets, atol=0.015)


def test_a_sound_that_rings_out_is_one_event() -> None:
    assert len(measure(_struck([0.3], 3.0)).events) == 1


def test_faint_clicks_are_no_events() -> None:
    clip = _struck([0.3], 3.0, decay=0.2)
    clip[[20_000, 30_000, 40_000]] += 0.02
    assert len(measure(clip).events) == 1


def test_onsets_do_not_depend_on_the_level() -> None:
    clip = _struck([0.3, 0.8, 1.5], 3.0)
    one, other = (find_onsets(measure_flux(samples)) for samples in (clip, clip / 8))
    np.testing.assert_allclose(one.times, other.times)
    np.testing.assert_allclose(one.rises, other.rises, rtol=1e-3)


@pytest.mark.parametrize("bpm", [84.0, 110.0, 132.0])
def test_the_beat_is_found_where_between_beats_something_else_is_played(bpm: float) -> None:
    beat = 60 / bpm
    count = int(8 / beat)
    clip = _struck([0.2 + k * beat for k in range(count)], 9.0, 90.0, 0.1)
    clip += 0.3 * _struck([0.2 + (k + 0.63) * beat for k in range(count)], 9.0, 900.0, 0.05)
    found = measure(clip).beat
    assert found is not None
    assert found.bpm == pytest.approx(bpm, rel=0.02)
    assert found.strength_at(bpm) > 2 * found.strength_at(bpm * 1.25)


def test_noise_has_no_beat() -> None:
    clip = 0.1 * np.random.default_rng(1).standard_normal(6 * SAMPLE_RATE).astype(np.float32)
    found = measure(clip).beat
    assert found is None or found.strength < 0.3


def test_a_syncopated_figure_has_the_tempo_of_its_bars() -> None:
    """Strokes three quarters of a beat before others, bar by bar: not four thirds of the tempo, and steady."""
    bpm = 96.0
    beat = 60 / bpm
    clip = _struck(
        [0.2 + beat * (4 * bar + k) for bar in range(4) for k in (0, 0.75, 1.5, 2.25, 3, 3.5)], 10.5, 90, 0.1
    )
    measured = measure(clip)
    assert measured.beat is not None and measured.beat.told
    assert check(Value(Quantity.TEMPO, None, bpm), measured).holds is True
    assert check(Value(Quantity.TEMPO, None, bpm * 1.25), measured).holds is False
    assert check(Regular(True), measured).holds is True
    assert check(Change(Quantity.TEMPO, None, Relation.MORE), measured).holds is False


def test_hits_at_random_times_have_no_beat() -> None:
    gaps = np.random.default_rng(3).uniform(0.2, 1.1, 12)
    measured = measure(_struck((0.2 + np.cumsum(gaps)).tolist(), 9.0, 90.0, 0.1))
    assert measured.beat is not None and not measured.beat.told
    assert check(Regular(True), measured).holds is False


def test_what_may_be_one_more_sound_is_not_contradicted() -> None:
    sure = measure(_struck([0.3, 1.0], 2.5))
    open_ = replace(sure, doubtful=(1.5,))
    count, onset = Count(3, Counted.EVENTS), Value(Quantity.ONSET, 2, 1.5)
    assert check(count, sure).holds is False and check(onset, sure).holds is False
    assert check(count, open_).holds is None and check(onset, open_).holds is None
    assert check(replace(count, value=4), open_).holds is False


def test_a_tone_above_the_tracker_has_a_pitch_and_vibrato_has_no_direction() -> None:
    times = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    beep = np.where((times > 0.5) & (times < 1.2), 0.2 * np.sin(2 * np.pi * 3400 * times), 0)
    assert measure(beep.astype(np.float32)).events[0].pitch == pytest.approx(3400, rel=0.02)
    swing = 2 * np.pi * 330 * times - 330 * 0.03 / 5 * np.cos(2 * np.pi * 5 * times)
    voice = np.where((times > 0.3) & (times < 1.7), 0.2 * np.sin(swing), 0)
    event = measure(voice.astype(np.float32)).events[0]
    assert event.pitch_start == pytest.approx(330, rel=0.02)
    assert event.pitch_end == pytest.approx(330, rel=0.02)


@pytest.mark.parametrize(("semitones", "wavers", "level"),
                         [(0.0, False, True), (0.25, None, True), (0.7, True, None)])  # fmt: skip
def test_a_pitch_that_goes_to_and_fro_wavers_wherever_it_ends(semitones, wavers, level) -> None:
    times = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    octaves = semitones / 12 * np.sin(2 * np.pi * 5 * times)
    tone = 0.2 * np.sin(2 * np.pi * np.cumsum(440 * 2**octaves) / SAMPLE_RATE)
    measurement = measure(np.where((times > 0.3) & (times < 1.7), tone, 0).astype(np.float32))
    same = Change(Quantity.PITCH, None, Relation.SAME)
    assert check(Not(same), measurement).holds is wavers
    assert check(same, measurement).holds is level
    assert check(replace(same, relation=Relation.MORE), measurement).holds is False
