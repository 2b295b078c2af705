"""A picture of a clip and of the claims about it: waveform, spectrogram, F0, level, and each claim where it applies."""

from __future__ import annotations

import math

import matplotlib
import numpy as np

from earwitness.audio import SAMPLE_RATE
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.extent import extent
from reward.families import NUMBERS
from reward.grounding import Grounding
from reward.measure import Measurement
from reward.measure.facts import Samples
from reward.parse.claim import Claim
from reward.statements import Value

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

WINDOW = 512
"""Samples of a spectrogram frame (32 ms)."""
RANGE_DB = 80.0
"""Range of colours: what lies further below the loudest is not heard beside it."""
POINTS = 20_000
"""Most points of a line: ten minutes have ten million samples, and a picture a thousand columns."""
MAX_CLAIMS = 40
"""Claims drawn; the table of the command has all of them."""
LABEL_CHARS = 130
"""Longest label of a claim."""
_NAMES = {
    trajectory_pb2.VERDICT_SUPPORTED: ("#1a7f37", "supported"),
    trajectory_pb2.VERDICT_CONTRADICTED: ("#cf222e", "contradicted"),
    trajectory_pb2.VERDICT_NOT_CHECKABLE: ("#8c6d1f", "not checkable"),
}


def draw(path: str, samples: Samples, measurement: Measurement, grounding: Grounding) -> None:
    """Writes the picture to `path` (PNG)."""
    shown = list(zip(grounding.distinct, grounding.claims, strict=True))[:MAX_CLAIMS]
    rows = 0.28 * max(len(shown), 1) + 0.3
    heights = [1.1, 2.2, 1.8, 1.4] + ([rows] if shown else [])
    figure, axes = plt.subplots(
        len(heights), 1, sharex=True, figsize=(11, sum(heights) + 0.8), height_ratios=heights, layout="constrained"
    )
    wave, spectrum, pitch, level = axes[:4]
    step = max(1, len(samples) // POINTS)
    wave.plot(np.arange(0, len(samples), step) / SAMPLE_RATE, samples[::step], linewidth=0.5, color="#57606a")
    wave.set_ylabel("waveform")
    _draw_spectrum(spectrum, samples)
    _draw_pitch(pitch, measurement)
    every = max(1, len(measurement.level.times) // POINTS)
    level.plot(measurement.level.times[::every], measurement.level.values[::every], color="#57606a", linewidth=1)
    level.set_ylabel("level, dBFS")
    for claim, message in shown:
        _mark_value(pitch, level, claim, _NAMES[message.verdict][0], measurement)
    if shown:
        _list_claims(axes[4], shown, measurement)
    for axis in axes:
        axis.set_xlim(0, max(measurement.duration, 1e-3))
        axis.margins(x=0)
    for axis in (wave, spectrum, pitch, level):
        _mark_events(axis, measurement, "white" if axis is spectrum else "black", axis is wave)
    axes[-1].set_xlabel("seconds")
    figure.savefig(path, dpi=110, format="png")
    plt.close(figure)


def _draw_spectrum(axis: Axes, samples: Samples) -> None:
    axis.set_ylabel("spectrogram, Hz")
    if len(samples) < WINDOW:
        return
    hop = max(128, len(samples) // 4_000)  # a column a frame is enough
    drawn = samples + np.float32(1e-9)
    powers, _, _, image = axis.specgram(drawn, NFFT=WINDOW, Fs=SAMPLE_RATE, noverlap=max(0, WINDOW - hop), cmap="magma")
    loudest = 10 * math.log10(float(powers.max()) + 1e-30)
    image.set_clim(loudest - RANGE_DB, loudest)


def _draw_pitch(axis: Axes, measurement: Measurement) -> None:
    """F0 of the events that have one, and the notes of chords."""
    axis.set_ylabel("F0, Hz")
    for event in measurement.events:
        if event.notes:
            axis.hlines(event.notes, event.start, event.end, color="#57606a", linewidth=2)
        elif event.pitch is not None:
            inside = (measurement.pitch.times >= event.start) & (measurement.pitch.times <= event.end)
            axis.plot(measurement.pitch.times[inside], measurement.pitch.values[inside], ".", color="#57606a", ms=3)
    if not any(event.pitch for event in measurement.events):
        axis.set_ylim(0, 1000)
        axis.text(0.5, 0.5, "no pitch", transform=axis.transAxes, ha="center", color="#57606a")


def _mark_value(pitch: Axes, level: Axes, claim: Claim, colour: str, measurement: Measurement) -> None:
    """A dashed line at a claimed pitch or level, where it is claimed."""
    statement = claim.statement
    if not isinstance(statement, Value):
        return
    axis = {"pitch": pitch, "level": level}.get(NUMBERS[statement.quantity].axis)
    if axis is not None:
        start, end = extent(statement, measurement)
        axis.hlines(statement.value, start, end, color=colour, linestyle="--", linewidth=1.4)


def _mark_events(axis: Axes, measurement: Measurement, colour: str, numbered: bool) -> None:
    for number, event in enumerate(measurement.events, start=1):
        axis.axvline(event.start, color=colour, alpha=0.35, linewidth=0.7)
        axis.axvline(event.end, color=colour, alpha=0.2, linewidth=0.7, linestyle=":")
        if numbered and len(measurement.events) <= MAX_CLAIMS:
            place = ((event.start + event.end) / 2, 1)
            axis.annotate(str(number), place, xycoords=("data", "axes fraction"), va="bottom", ha="center", fontsize=9)


def _list_claims(axis: Axes, shown: list[tuple[Claim, trajectory_pb2.Claim]], measurement: Measurement) -> None:
    """A row a claim: its words, and below them a bar over the time that it speaks of."""
    for row, (claim, message) in enumerate(shown):
        colour, verdict = _NAMES[message.verdict]
        start, end = extent(claim.statement, measurement)
        axis.barh(row + 0.33, end - start, left=start, height=0.16, color=colour)
        words = f"{verdict}: “{message.text}” · claimed {message.claimed} · measured {message.measured}"
        words = words if len(words) <= LABEL_CHARS else words[: LABEL_CHARS - 1] + "…"
        axis.text(0.004, row - 0.08, words.replace("$", r"\$"), color=colour, fontsize=8.5, va="center",
                  transform=axis.get_yaxis_transform())  # fmt: skip
    axis.set_ylim(len(shown) - 0.3, -0.6)
    axis.set_yticks([])
    axis.set_ylabel("claims")
