"""Notes of a melody, however softly they begin and however faint their fundamentals are; counts and figures of hits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reward.families import COUNTS
from reward.measure import measure
from reward.measure.entries import find_entries
from reward.measure.pitch import measure_pitch
from reward.measure.repetition import find_repetition
from reward.statements import Count, Counted

RATE = 16_000


def tone(hertz: float, seconds: float, partials: dict[int, float], fade: float = 0.01) -> np.ndarray:
    """Partials by number, with soft ends of `fade` seconds."""
    times = np.arange(int(seconds * RATE)) / RATE
    wave = sum(level * np.sin(2 * np.pi * hertz * number * times) for number, level in partials.items())
    return np.asarray(wave * np.clip(np.minimum(times, seconds - times) / fade, 0, 1))


def clip(seconds: float, *placed: tuple[float, np.ndarray], seed: int = 1) -> np.ndarray:
    samples = 1e-4 * np.random.default_rng(seed).standard_normal(int(seconds * RATE))
    for start, sound in placed:
        samples[int(start * RATE) : int(start * RATE) + len(sound)] += sound
    return samples.astype(np.float32)


@pytest.mark.parametrize("steps", [(0, -3, -7), (0, 2, 5, 9)])
def test_notes_that_begin_softly_while_the_one_before_fades_are_cut_where_f0_steps(steps):
    hertz = [300 * 2 ** (step / 12) for step in steps]
    notes = [(0.2 + 0.4 * n, tone(f, 0.46, {1: 0.1, 2: 0.06, 3: 0.03}, fade=0.1)) for n, f in enumerate(hertz)]
    events = measure(clip(0.2 + 0.4 * len(steps) + 0.5, *notes)).events
    assert [event.pitch for event in events] == pytest.approx(hertz, rel=0.02)
    assert [event.start for event in events] == pytest.approx([0.2 + 0.4 * n for n in range(len(steps))], abs=0.08)
    assert all(event.sure for event in events)


@pytest.mark.parametrize("span", [(250.0, 330.0), (600.0, 780.0)])
def test_a_slow_glide_is_one_sound_though_f0_is_lost_now_and_then(span):
    times = np.arange(int(0.8 * RATE)) / RATE
    phase = 2 * np.pi * (span[0] * times + (span[1] - span[0]) * times**2 / 1.6)
    gaps = 1.0 - 0.98 * ((times % 0.3 > 0.2) & (times % 0.3 < 0.21))
    assert len(measure(clip(1.4, (0.3, 0.2 * np.sin(phase) * gaps))).events) == 1


@pytest.mark.parametrize("hertz", [98.0, 155.0, 207.0])
def test_the_pitch_of_a_note_whose_fundamental_is_faint_is_told_by_its_partials(hertz):
    sound = tone(hertz, 0.8, {1: 0.001, 2: 0.1, 3: 0.08, 4: 0.09, 5: 0.05, 6: 0.03})
    (event,) = measure(clip(1.4, (0.3, sound))).events
    assert event.pitch == pytest.approx(hertz, rel=0.02)
    assert event.pitch_sure


def test_partials_of_no_common_f0_have_no_sure_pitch_and_are_no_one_tone():
    sound = sum(tone(hertz, 0.8, {1: 0.05}) for hertz in (310.0, 517.0, 823.0, 1_291.0))
    (event,) = measure(clip(1.4, (0.3, np.asarray(sound)))).events
    assert not event.one_tone


def test_a_figure_of_hits_repeats_where_one_of_them_has_hardly_a_pitch():
    hit = np.exp(-np.arange(2_000) / 300) * np.random.default_rng(3).standard_normal(2_000)
    figure = [(0.2 + 0.9 * bar + at, level * hit) for bar in range(4) for at, level in ((0.0, 0.3), (0.35, 0.28))]
    events = list(measure(clip(4.2, *figure)).events)
    assert len(events) == 8
    whole = find_repetition(events)
    now_pitched = [replace(e, pitch=508.0, harmonicity=0.61) if n % 4 == 0 else e for n, e in enumerate(events)]
    assert whole is not False and find_repetition(now_pitched) == whole
    clear = [
        replace(e, pitch=508.0, harmonicity=0.95, pitch_sure=True) if n % 4 == 0 else e for n, e in enumerate(events)
    ]
    assert find_repetition(clear) != whole  # every second one is a tone: the figure has four sounds


def test_a_hit_that_rings_out_unevenly_is_not_surely_more_than_one():
    rng = np.random.default_rng(4)
    decay = np.exp(-np.arange(8_000) / 1_200)
    parts = [(at, level * decay * rng.standard_normal(8_000)) for at, level in ((0.3, 0.5), (0.5, 0.13))]
    measured = measure(clip(1.2, *parts))
    count = COUNTS[Counted.EVENTS].check
    assert count(Count(1, Counted.EVENTS), measured).holds is not False
    assert count(Count(9, Counted.EVENTS), measured).holds is False


def test_a_click_far_below_is_no_sound():
    click = np.zeros(300)
    click[:240] = 0.008 * np.random.default_rng(5).standard_normal(240)
    measured = measure(clip(2.0, (0.3, tone(440, 0.4, {1: 0.1})), (1.0, tone(440, 0.4, {1: 0.1})), (1.7, click)))
    assert len(measured.events) == 2
    assert COUNTS[Counted.EVENTS].check(Count(3, Counted.EVENTS), measured).holds is None


def _pedalled(hertz: list[float], gap: float, hold: float, decay: float = 1.0) -> tuple[np.ndarray, list[float]]:
    """Notes of soft attack that all ring on over each other, and where they begin."""
    times = np.arange(int(hold * RATE)) / RATE
    swell = np.clip(times / 0.03, 0, 1) * np.exp(-times / decay)
    onsets = [0.2 + gap * n for n in range(len(hertz))]
    placed = [(start, tone(f, hold, {1: 0.1, 2: 0.03}) * swell) for start, f in zip(onsets, hertz, strict=True)]
    return clip(onsets[-1] + hold + 0.3, *placed), onsets


@pytest.mark.parametrize("hertz", [[262.0, 330.0, 392.0, 494.0], [523.0, 415.0, 349.0, 262.0]])
def test_a_note_that_joins_others_which_ring_on_is_an_event_at_its_own_pitch(hertz):
    samples, onsets = _pedalled(hertz, 0.45, 2.2)
    events = measure(samples).events
    assert [event.pitch for event in events] == pytest.approx(hertz, rel=0.02)
    assert [event.start for event in events] == pytest.approx(onsets, abs=0.06)


def test_new_partials_enter_where_notes_begin_whatever_the_level_and_nowhere_in_a_held_note():
    samples, onsets = _pedalled([262.0, 330.0, 392.0], 0.45, 2.2)
    for loud in (1.0, 0.1):
        found = find_entries(loud * samples, measure_pitch(samples)).times
        assert found[-2:] == pytest.approx(onsets[1:], abs=0.04)
        assert all(min(abs(time - onset) for onset in onsets) < 0.15 for time in found)
    times = np.arange(2 * RATE) / RATE
    phase = 2 * np.pi * 300 * times - 0.3 * np.cos(2 * np.pi * 6 * times)  # a vibrato of 2 Hz to either side
    beats = 1 + 0.5 * np.cos(2 * np.pi * 3 * times)
    for held in (np.sin(phase), beats * np.sin(2 * np.pi * 300 * times)):
        samples = clip(2.4, (0.2, 0.1 * held))
        found = find_entries(samples, measure_pitch(samples)).times
        assert not np.any((found > 0.4) & (found < 2.0))


def test_upper_partials_that_come_later_than_the_fundamental_are_of_the_same_note():
    upper = tone(600.0, 0.68, {2: 0.2, 3: 0.1, 4: 0.1}, fade=0.02)
    assert len(measure(clip(1.4, (0.3, tone(600.0, 0.8, {1: 0.1})), (0.42, upper))).events) == 1


def test_what_rings_on_for_nearly_all_of_a_clip_is_not_its_background():
    times = np.arange(3 * RATE) / RATE
    (event,) = measure(clip(3.2, (0.2, 0.3 * np.sin(2 * np.pi * 220 * times) * np.exp(-times / 2)))).events
    assert event.end == pytest.approx(3.2, abs=0.05)
    assert event.pitch == pytest.approx(220.0, rel=0.02)


def test_a_note_as_loud_as_the_one_before_is_none_of_its_trails_however_soft_its_attack():
    notes = [(0.2 + 0.5 * n, tone(f, 0.5, {1: 0.1, 3: 0.05}, fade=0.12)) for n, f in enumerate((209.0, 176.0, 132.0))]
    events = measure(clip(2.2, *notes)).events
    assert [event.pitch for event in events] == pytest.approx([209.0, 176.0, 132.0], rel=0.02)
    assert all(event.sure for event in events)
