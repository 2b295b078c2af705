"""Small charts as inline SVG. Colours come from the page's style sheet, so they follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from earwitness.series import Curve

WIDTH, HEIGHT = 460, 220
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 10, 26
"""Margins, px."""

MOST_POINTS = 400
"""A longer curve is drawn as means of equal stretches: more points than pixels show nothing."""

FLAT = 1e-9
"""A curve that moves less than this, relative to its size, is drawn as constant."""

COLOURS = 8
"""Of the style sheet; more curves begin again."""

SMOOTHED_FROM = 60
"""A curve with this many points gets a bold running mean over the raw values."""


def line_chart(series: Sequence[tuple[str, Curve]], unit: str = "") -> str:
    """Curves over steps, with a legend if there are several. Empty text if there is nothing to draw."""
    drawn = [(label, _finite(points)) for label, points in series]
    drawn = [(label, points) for label, points in drawn if points]
    if not drawn:
        return ""
    xs = [x for _, points in drawn for x, _ in points]
    ys = [y for _, points in drawn for _, y in points]
    x_low, x_high = min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1
    ticks = nice_ticks(min(ys), max(ys))
    y_low, y_high = min(ticks[0], min(ys)), max(ticks[-1], max(ys))

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - (y - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM),
        )

    parts = [f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">']
    for tick in ticks:
        _, y = place(x_low, tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{label_of(tick)}</text>')
    for tick in nice_ticks(x_low, x_high):
        if x_low <= tick <= x_high and tick == int(tick):
            x, _ = place(tick, y_low)
            parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{label_of(tick)}</text>')
    for number, (label, points) in enumerate(drawn):
        index = number % COLOURS
        smooth = len(points) >= SMOOTHED_FROM
        raw = " ".join(f"{a:.1f},{b:.1f}" for a, b in (place(*p) for p in _thin(points)))
        style = f"c{index} faint" if smooth else f"c{index}"
        parts.append(f'<polyline class="{style}" points="{raw}"><title>{escape(label)}</title></polyline>')
        if smooth:
            mean = " ".join(f"{a:.1f},{b:.1f}" for a, b in (place(*p) for p in _thin(_running_mean(points))))
            parts.append(f'<polyline class="c{index}" points="{mean}"/>')
        if len(points) == 1:
            a, b = place(*points[0])
            parts.append(f'<circle class="c{index}" cx="{a:.1f}" cy="{b:.1f}" r="3"/>')
    parts.append("</svg>")
    legend = "".join(f'<span class="key k{i % COLOURS}">{escape(label)}</span>' for i, (label, _) in enumerate(drawn))
    return "".join(parts) + f'<p class="legend">{legend}{f"<span>{escape(unit)}</span>" if unit else ""}</p>'


def waveform(envelope: Sequence[float], width: int = 300, height: int = 44) -> str:
    """A clip's loudness over time: bars of peak magnitude in [0, 1]."""
    pitch = width / max(len(envelope), 1)
    loudest = max(envelope, default=0.0) or 1.0
    bars = "".join(
        f'<rect x="{i * pitch:.1f}" y="{(height - h) / 2:.1f}" width="{pitch * 0.7:.1f}" height="{h:.1f}" rx="1"/>'
        for i, h in ((i, max(1.5, v / loudest * height)) for i, v in enumerate(envelope))
    )
    return (
        f'<svg class="wave" viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">{bars}</svg>'
    )


def nice_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers that cover low to high."""
    if high - low <= FLAT * max(abs(low), abs(high), FLAT):
        pad = abs(low) * 0.1 or 1.0
        low, high = low - pad, high + pad
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def label_of(value: float) -> str:
    """A tick's label."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _finite(points: Curve) -> Curve:
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def _thin(points: Curve) -> Curve:
    if len(points) <= MOST_POINTS:
        return points
    size = math.ceil(len(points) / MOST_POINTS)
    chunks = [points[i : i + size] for i in range(0, len(points), size)]
    return [(sum(x for x, _ in c) / len(c), sum(y for _, y in c) / len(c)) for c in chunks]


def _running_mean(points: Curve) -> Curve:
    """Mean over a centred window of a fifteenth of the curve."""
    half = max(1, len(points) // 30)
    smooth = []
    for i, (x, _) in enumerate(points):
        window = points[max(0, i - half) : i + half + 1]
        smooth.append((x, sum(y for _, y in window) / len(window)))
    return smooth
