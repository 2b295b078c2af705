"""Tones below the range of the F0 trackers: what is said of their pitch is not checkable, never contradicted."""

from __future__ import annotations

import numpy as np
import pytest

from reward.measure import Measurement, measure
from reward.statements import Count, Counted, Quantity, Value
from reward.verify import check

RATE = 16_000
LOW_E = 41.2
"""Hz: the lowest string of a bass."""


def played(hertz: float, levels: dict[int, float], falls: float, seconds: float = 0.8) -> Measurement:
    """A note whose partials have `levels` and fall by e in 1 / (`falls` * partial) s, 40 dB above white noise."""
    rng = np.random.default_rng(round(hertz))
    times = np.arange(int(seconds * RATE)) / RATE
    note = sum(a * np.sin(2 * np.pi * hertz * k * times + k) * np.exp(-falls * k * times) for k, a in levels.items())
    note *= np.minimum(1.0, np.minimum(times / 0.005, (times[-1] - times) / 0.02))
    note *= 0.4 / np.abs(note).max()
    samples = np.pad(note, 4_800)
    noise = rng.standard_normal(len(samples)) * np.sqrt(np.mean(samples**2)) * 0.01
    return measure((samples + noise).astype(np.float32))


def pitch_is(hertz: float, measured: Measurement) -> bool | None:
    return check(Value(Quantity.PITCH, None, hertz), measured).holds


SAWTOOTH = {k: 1 / k for k in range(1, 9)}
WITHOUT_FUNDAMENTAL = {2: 1.0, 3: 0.7, 4: 0.5, 5: 0.3}
PURE = {1: 1.0}


@pytest.mark.parametrize("hertz", [32.7, 36.7, LOW_E, 46.2, 51.9])
@pytest.mark.parametrize("levels", [SAWTOOTH, WITHOUT_FUNDAMENTAL, PURE], ids=["sawtooth", "hollow", "pure"])
@pytest.mark.parametrize("falls", [0.0, 0.5], ids=["held", "plucked"])
def test_a_pitch_below_the_floor_is_not_checkable(hertz, levels, falls):
    """Neither its own, nor that of its partials, nor that there are two notes (partials 2 and 3 are a fifth)."""
    measured = played(hertz, levels, falls)
    assert [pitch_is(multiple * hertz, measured) for multiple in (1, 2, 3)] == [None, None, None]
    assert check(Count(1, Counted.NOTES), measured).holds is not False
    assert check(Count(2, Counted.NOTES), measured).holds is not True


@pytest.mark.parametrize("hertz", [65.4, 73.4, 80.0])
@pytest.mark.parametrize("levels", [SAWTOOTH, PURE], ids=["sawtooth", "pure"])
def test_a_pitch_above_the_floor_is_told(hertz, levels):
    measured = played(hertz, levels, 0.0)
    assert [pitch_is(multiple * hertz, measured) for multiple in (1, 2, 3)] == [True, False, False]


def test_a_fifth_whose_common_period_is_as_deep_is_one():
    """Notes at 2 and 3 of it have partials at 2, 3, 4, 6, 8, 9: those at 5 and 7 are left out."""
    common = dict.fromkeys(range(1, 10), 0.0)
    for note in (2, 3):
        for k in (1, 2, 3):
            common[note * k] += 1 / k
    measured = played(LOW_E, common, 0.0)
    assert [pitch_is(multiple * LOW_E, measured) for multiple in (2, 3, 5)] == [True, True, False]
    assert check(Count(2, Counted.NOTES), measured).holds is True
