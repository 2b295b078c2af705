"""Claims about waveform, partials, and qualities with a scale."""

from __future__ import annotations

from reward import tolerances as t
from reward.measure import Event

Answer = tuple[bool | None, str]
# Read, and not yet on a scale.
_UNMEASURED = ("reverberant", "dry", "short", "long")


def check_timbre(what: str, events: list[Event]) -> Answer:
    """Whether every event is `what` (see `Timbre`), or None if it cannot be told, and what was measured in words."""
    if not events:
        return False, "silence"
    if what in _UNMEASURED:
        return None, f"no scale for {what}"
    pitched = [event for event in events if event.pitch is not None]
    if what in ("high", "low", "clean") and pitched:
        events = pitched  # the consonants of a high voice have no pitch
    answers = [_check(what, event) for event in events]
    for holds, measured in answers:
        if holds is not True:
            return holds, measured
    return answers[0]


def _check(what: str, event: Event) -> Answer:
    pitched = event.pitch is not None
    if what in ("pitched", "unpitched"):
        return pitched == (what == "pitched"), f"{event.pitch:.0f} Hz" if event.pitch else "no pitch"
    if what in ("bright", "dull"):
        holds = _on_scale(event.centroid, t.BRIGHT_HZ, what == "bright")
        if what == "bright" and holds is False and (event.overtones or 0.0) >= t.OVERTONES:
            holds = None  # overtones make a low note bright for its pitch
        return holds, f"centroid {event.centroid:.0f} Hz"
    if what in ("soft", "loud"):
        return _on_scale(event.level, t.LOUD_DBFS, what == "loud"), f"{event.level:.1f} dBFS"
    if what in ("broad", "narrow"):
        return _on_scale(event.bandwidth, t.BROAD_HZ, what == "broad"), f"bandwidth {event.bandwidth:.0f} Hz"
    if what in ("noisy", "clean"):
        clarity = 1.0 if event.notes else event.harmonicity
        return _on_scale(clarity, t.CLEAR, what == "clean"), f"periodic to {clarity:.0%}"
    if what == "chord":
        return bool(event.notes), _words(event)
    if what in ("high", "low"):
        if event.pitch is None:
            return False, "no pitch"
        return _on_scale(event.pitch, t.HIGH_HZ, what == "high"), f"{event.pitch:.0f} Hz"
    if what == "noise":
        return event.wave == "noise", _words(event)
    if not pitched or event.notes:
        return False, _words(event)
    if event.overtones is None:
        return None, "partials above 8 kHz"
    if what in ("odd", "all"):
        if event.overtones < t.OVERTONES or event.even_share is None:
            return False, _words(event)
        holds = event.even_share <= t.ODD_ONLY if what == "odd" else event.even_share >= t.ALL_PARTIALS
        return holds, _words(event)
    if what == "rich":
        return _on_scale(event.overtones, t.RICH, True), _words(event)
    return event.wave == what, _words(event)


def _on_scale(value: float, scale: tuple[float, float], upper: bool) -> bool | None:
    """Whether `value` is at the upper (or lower) end of `scale`; None between its two marks."""
    if scale[0] < value < scale[1]:
        return None
    return (value >= scale[1]) == upper


def _words(event: Event) -> str:
    if event.notes:
        return "notes of " + ", ".join(f"{note:.0f} Hz" for note in event.notes)
    if event.wave == "noise" or event.pitch is None:
        return "noise" if event.wave == "noise" else "no pitch"
    if event.even_share is None:
        return f"{event.wave}: a single partial"
    return f"{event.wave}: overtones {event.overtones:.0%} of the fundamental, {event.even_share:.0%} of them even"
