"""Notes at once whose fundamentals are hardly there, and what is none: the common period, vibrato, cymbals."""

from __future__ import annotations

import numpy as np
import pytest

from reward.families import COUNTS
from reward.measure import measure
from reward.measure.chord import notes_at_once
from reward.statements import Count, Counted

RATE = 16_000
DEEP = {1: 0.0015, 2: 0.08, 3: 0.1, 4: 0.09, 5: 0.06, 6: 0.05, 7: 0.04, 8: 0.02}
FULL = {1: 0.1, 2: 0.06, 3: 0.05, 4: 0.04, 5: 0.03, 6: 0.02}


def sound(hertz: tuple[float, ...], partials: dict[int, float], swing: float = 0.0, noise: float = 1e-5) -> np.ndarray:
    """Notes of `partials`, whose F0 swings by that share six times a second, in noise of that RMS."""
    times = np.arange(int(0.8 * RATE)) / RATE
    swung = times - swing / (2 * np.pi * 6) * np.cos(2 * np.pi * 6 * times)
    waves = [level * np.sin(2 * np.pi * f * n * swung + n * f) for f in hertz for n, level in partials.items()]
    return np.asarray(0.3 * sum(waves) + noise * np.random.default_rng(1).standard_normal(len(times)), dtype=np.float32)


@pytest.mark.parametrize("hertz", [(97.0, 130.0), (116.0, 147.0, 174.0), (206.0, 260.0, 309.0, 368.0)])
def test_notes_whose_fundamentals_are_hardly_there_are_told_by_their_series(hertz):
    notes, _ = notes_at_once(sound(hertz, DEEP, noise=0.002), None)
    assert notes == pytest.approx(hertz, rel=0.02)


@pytest.mark.parametrize("hertz", [(131.0, 196.5), (200.0, 300.0), (196.0, 247.0, 294.0)])
def test_the_common_period_of_notes_is_none_of_them(hertz):
    notes, _ = notes_at_once(sound(hertz, FULL), None)
    assert notes == pytest.approx(hertz, rel=0.02)


@pytest.mark.parametrize("swing", [0.0, 0.006, 0.01, 0.013])
def test_what_a_vibrato_spreads_of_an_upper_partial_is_no_note(swing):
    notes, _ = notes_at_once(sound((245.0, 367.0), FULL, swing), None)
    assert notes == pytest.approx((245.0, 367.0), rel=0.02)


def test_a_cymbal_whose_modes_stand_out_is_no_chord():
    """Noise in which as much power lies at ten frequencies of no series."""
    rng = np.random.default_rng(2)
    times = np.arange(RATE) / RATE
    modes = sum(0.009 * np.sin(2 * np.pi * f * times + f) for f in rng.uniform(400, 4_800, 10))
    hit = (modes + 0.018 * rng.standard_normal(RATE)) * np.exp(-times / 0.25)
    samples = np.concatenate([np.zeros(4_800), hit, np.zeros(3_200)]) + 1e-5 * rng.standard_normal(24_000)
    measured = measure(samples.astype(np.float32))
    for notes in (2, 3, 4):
        assert COUNTS[Counted.NOTES].check(Count(notes, Counted.NOTES), measured).holds is False
