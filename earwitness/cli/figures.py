"""Times and numbers as a person reads them."""

from __future__ import annotations


def clock(seconds: float) -> str:
    """75 -> 1:15."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def number(value: float) -> str:
    """Four characters that matter."""
    return f"{value:.2e}" if value and abs(value) < 1e-3 else f"{value:.4g}" if abs(value) >= 10 else f"{value:.3f}"
