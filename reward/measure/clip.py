"""All measurements of one clip."""

from __future__ import annotations

import numpy as np

from earwitness.audio import SAMPLE_RATE
from reward.measure.beat import find_beat
from reward.measure.cuts import doubtful_onsets
from reward.measure.entries import find_entries
from reward.measure.events import find_events
from reward.measure.facts import Balance, Contour, Event, Measurement, Rhythm, Samples
from reward.measure.flux import find_onsets, measure_flux
from reward.measure.level import measure_levels
from reward.measure.loudness import integrated_loudness
from reward.measure.pitch import measure_pitch
from reward.measure.repetition import find_repetition
from reward.measure.reverberation import measure_reverberation
from reward.measure.spectrum import centroid_contour
from reward.measure.syllables import find_syllables

SHORTEST = 800
"""Samples (50 ms); shorter clips are padded with silence, because F0 needs a few periods around it."""


def measure(samples: Samples, balance: Balance | None = None) -> Measurement:
    """Measures `samples` `[samples]` at 16 kHz, already mixed down; `balance` is what was lost by that.

    About 10 ms for each second on one core.
    """
    duration = len(samples) / SAMPLE_RATE
    peak = 20 * float(np.log10(max(float(np.max(np.abs(samples), initial=0.0)), 1e-6)))
    samples = np.pad(samples - samples.mean(), (0, max(0, SHORTEST - len(samples))))  # an offset is no sound
    levels = measure_levels(samples)
    pitch = measure_pitch(samples)
    flux = measure_flux(samples)
    onsets = find_onsets(flux)
    events, faint = find_events(samples, levels, pitch, onsets, find_entries(samples, pitch))
    doubtful, more = doubtful_onsets(events, pitch, levels, onsets)
    return Measurement(
        duration=duration,
        peak=peak,
        background=levels.background,
        events=events,
        rhythm=_rhythm(events),
        doubtful=(*faint, *doubtful),
        most=len(events) + len(faint) + more,
        beat=find_beat(flux),
        level=Contour(levels.times, levels.db),
        pitch=pitch,
        centroid=centroid_contour(samples, levels.background),
        repetition=find_repetition(events),
        loudness=integrated_loudness(samples),
        syllables=find_syllables(samples, pitch),
        balance=balance,
        reverberation=measure_reverberation(samples, events),
    )


def _rhythm(events: tuple[Event, ...]) -> Rhythm | None:
    if len(events) < 3:
        return None
    gaps = np.diff([event.start for event in events])
    places, octaves = np.arange(len(gaps)), np.log2(gaps)
    slope = float(np.cov(places, octaves, bias=True)[0, 1] / np.var(places))
    residual = octaves - octaves.mean() - slope * (places - places.mean())
    return Rhythm(
        gaps=tuple(gaps.tolist()),
        variation=float(np.std(gaps) / np.mean(gaps)),
        change=slope * (len(gaps) - 1),
        scatter=float(np.std(residual)),
    )
