"""Notes that move as one, deep tones by their partials, chords of which one note ends, gaps that may be none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reward.measure import Measurement, measure
from reward.measure.chord import deep_tone, perhaps_deep
from reward.measure.facts import in_parallel
from reward.measure.second import struck
from reward.statements import Change, Comparison, Count, Counted, Quantity, Relation, Statement, Value
from reward.verify import check

RATE = 16_000
Q = Quantity


def holds(statement: Statement, measured: Measurement) -> bool | None:
    return check(statement, measured).holds


@pytest.mark.parametrize("way", [Relation.MORE, Relation.LESS])
def test_a_row_of_notes_of_one_bar_goes_where_all_its_partials_go(way: Relation) -> None:
    """A bar has a second partial that is no multiple, and sounds like two notes: both go up or down alike."""
    hertz = [392.0, 330.0, 277.0, 233.0][:: -1 if way is Relation.MORE else 1]
    tone = np.sin(2 * np.pi * 300 * np.arange(RATE) / RATE)
    whole = measure(np.pad(0.1 * tone, 4_800).astype(np.float32))
    event = replace(whole.events[0], peaks=())
    row = [
        replace(event, start=0.4 * n, end=0.4 * n + 0.4, pitch=f0, notes=(*hertz[max(0, n - 1) : n], f0, 2.51 * f0))
        for n, f0 in enumerate(hertz)
    ]
    assert [event.pitch for event in struck(row)] == hertz
    measured = replace(whole, events=tuple(struck(row)), rhythm=None, most=4)
    other = Relation.LESS if way is Relation.MORE else Relation.MORE
    assert [holds(Change(Q.PITCH, None, to), measured) for to in (way, other)] == [True, False]
    assert [holds(Comparison(Q.PITCH, -1, 1, to), measured) for to in (way, other)] == [True, False]
    assert [holds(Value(Q.PITCH, -1, f0), measured) for f0 in (hertz[-1], 1.26 * hertz[-1])] == [True, False]
    alone = [replace(event, notes=(*event.notes, 5.1 * event.pitch)) if n else event for n, event in enumerate(row)]
    unsure = replace(measured, events=tuple(struck(alone)))
    assert holds(Change(Q.PITCH, None, way), unsure) is None  # another note is new


def test_intervals_are_parallel_if_they_are_alike() -> None:
    assert in_parallel((200.0, 502.0), (160.0, 401.0))
    assert not in_parallel((200.0, 502.0), (160.0, 480.0))
    assert not in_parallel((200.0,), (200.0, 300.0))
    assert not in_parallel((), ())


@pytest.mark.parametrize("f0", [41.2, 58.3])
def test_of_a_deep_tone_the_prime_partials_are_left_as_notes(f0: float) -> None:
    assert deep_tone(tuple(k * f0 for k in (2, 3, 5, 7))) == pytest.approx(f0)
    assert deep_tone(tuple(k * f0 for k in (2, 3, 5.004, 7.03, 11.05))) == pytest.approx(f0, rel=0.01)
    assert deep_tone((2 * f0, 3 * f0)) is None  # a fifth
    assert deep_tone(tuple(k * f0 for k in (2, 3, 5))) is None  # a major chord in open position
    assert deep_tone(tuple(k * f0 for k in (2, 3, 5, 7.13))) is None  # a seventh chord, as a piano has it
    assert perhaps_deep((2 * f0, 3 * f0)) and not perhaps_deep((6 * f0, 9 * f0))


def test_a_tone_above_the_floor_is_no_deep_one() -> None:
    assert deep_tone(tuple(k * 110.0 for k in (2, 3, 5, 7))) is None
    assert deep_tone(()) is None


@pytest.mark.parametrize("length", [0.5, 0.6, 0.9])
def test_a_chord_of_which_one_note_ends_before_the_other_has_two_notes(length: float) -> None:
    times = np.arange(int(0.9 * RATE)) / RATE
    samples = 1e-4 * np.random.default_rng(8).standard_normal(int(1.5 * RATE))
    for hertz, ends in ((278.0, 0.9), (417.0, length)):
        note = sum(np.sin(2 * np.pi * hertz * k * times) / k**2 for k in range(1, 5))
        samples[3_200 : 3_200 + len(times)] += 0.05 * note * np.clip((ends - times) / 0.05, 0, 1)
    assert holds(Count(2, Counted.NOTES), measure(samples.astype(np.float32))) is True


def test_a_gap_between_sounds_of_which_one_may_be_none_is_not_told() -> None:
    hit = 0.3 * np.random.default_rng(9).standard_normal(800)
    samples = 1e-4 * np.random.default_rng(1).standard_normal(3 * RATE)
    for at in (0.3, 0.5, 1.2, 1.4, 2.1, 2.3):
        samples[int(at * RATE) : int(at * RATE) + 800] += hit
    sure = measure(samples.astype(np.float32))
    assert [holds(Value(Q.GAP_FIRST, None, gap), sure) for gap in (0.2, 0.9)] == [True, False]
    events = tuple(replace(event, sure=number % 2 == 0) for number, event in enumerate(sure.events))
    unsure = replace(sure, events=events)
    assert [holds(Value(Q.GAP_FIRST, None, gap), unsure) for gap in (0.2, 0.9, 1.6)] == [None, None, False]
    assert holds(Value(Q.GAP_SHORTEST, None, 0.2), unsure) is None


def test_a_gap_shorter_than_the_one_found_is_not_contradicted_where_a_sound_may_have_been_missed() -> None:
    hit = 0.3 * np.random.default_rng(9).standard_normal(800)
    samples = 1e-4 * np.random.default_rng(1).standard_normal(3 * RATE)
    for at in (0.3, 1.5, 2.5):
        samples[int(at * RATE) : int(at * RATE) + 800] += hit
    measured = measure(samples.astype(np.float32))
    assert measured.most == 3
    assert [holds(Value(Q.GAP_FIRST, None, gap), measured) for gap in (0.6, 1.2, 2.0)] == [False, True, False]
    missed = replace(measured, most=4)
    assert [holds(Value(Q.GAP_FIRST, None, gap), missed) for gap in (0.6, 1.2, 2.0)] == [None, True, False]
