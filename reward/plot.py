"""A picture of a clip and of the claims about it: waveform, spectrogram, F0, level."""

from __future__ import annotations

import matplotlib
import numpy as np

from earwitness.audio import SAMPLE_RATE
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.grounding import Grounding
from reward.measure import Measurement
from reward.measure.facts import Samples

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

WINDOW = 512
"""Samples of a spectrogram frame (32 ms)."""
_COLOURS = {
    trajectory_pb2.VERDICT_SUPPORTED: "tab:green",
    trajectory_pb2.VERDICT_CONTRADICTED: "tab:red",
    trajectory_pb2.VERDICT_NOT_CHECKABLE: "tab:olive",
}
_SIGNS = {
    trajectory_pb2.VERDICT_SUPPORTED: "supported",
    trajectory_pb2.VERDICT_CONTRADICTED: "contradicted",
    trajectory_pb2.VERDICT_NOT_CHECKABLE: "not checkable",
}


def draw(path: str, samples: Samples, measurement: Measurement, grounding: Grounding) -> None:
    """Writes the picture to `path` (PNG)."""
    claims = grounding.claims
    heights = [1.0, 1.6, 1.2, 1.0, max(0.2, 0.22 * len(claims))]
    figure, axes = plt.subplots(5, 1, figsize=(10, 2 * sum(heights)), height_ratios=heights, layout="constrained")
    wave, spectrum, pitch, level, text = axes
    times = np.arange(len(samples)) / SAMPLE_RATE
    wave.plot(times, samples, linewidth=0.5)
    wave.set_ylabel("waveform")
    if len(samples) >= WINDOW:
        spectrum.specgram(samples + 1e-9, NFFT=WINDOW, Fs=SAMPLE_RATE, noverlap=WINDOW - 128, cmap="magma")
    spectrum.set_ylabel("spectrogram, Hz")
    for event in measurement.events:
        inside = (measurement.pitch.times >= event.start) & (measurement.pitch.times <= event.end)
        if event.pitch is not None:
            pitch.plot(measurement.pitch.times[inside], measurement.pitch.values[inside], ".", color="tab:blue")
    pitch.set_ylabel("F0, Hz")
    level.plot(measurement.level.times, measurement.level.values)
    level.set_ylabel("level, dBFS")
    level.set_xlabel("seconds")
    for axis in (wave, spectrum, pitch, level):
        axis.set_xlim(0, max(measurement.duration, 1e-3))
        _mark_events(axis, measurement)
    _list_claims(text, grounding)
    figure.savefig(path, dpi=110, format="png")
    plt.close(figure)


def _mark_events(axis: Axes, measurement: Measurement) -> None:
    for number, event in enumerate(measurement.events, start=1):
        axis.axvspan(event.start, event.end, color="tab:gray", alpha=0.15)
        axis.annotate(str(number), (event.start, 1), xycoords=("data", "axes fraction"), va="top", fontsize=8)


def _list_claims(axis: Axes, grounding: Grounding) -> None:
    axis.axis("off")
    for row, claim in enumerate(grounding.claims):
        words = f"{_SIGNS[claim.verdict]}: “{claim.text}”: claimed {claim.claimed}; measured {claim.measured}"
        axis.text(
            0,
            1 - (row + 0.5) / len(grounding.claims),
            words.replace("$", r"\$")[:160],
            color=_COLOURS[claim.verdict],
            fontsize=8,
            va="center",
            transform=axis.transAxes,
        )
