"""Units, and the words around numbers."""

from __future__ import annotations

UNITS: dict[str, tuple[str, float]] = {
    "hz": ("Hz", 1.0), "hertz": ("Hz", 1.0), "khz": ("Hz", 1000.0), "kilohertz": ("Hz", 1000.0),
    "db": ("dB", 1.0), "dbfs": ("dB", 1.0), "decibel": ("dB", 1.0), "decibels": ("dB", 1.0),
    "s": ("s", 1.0), "sec": ("s", 1.0), "secs": ("s", 1.0), "second": ("s", 1.0), "seconds": ("s", 1.0),
    "ms": ("s", 0.001), "msec": ("s", 0.001), "millisecond": ("s", 0.001), "milliseconds": ("s", 0.001),
    "lufs": ("LUFS", 1.0), "lkfs": ("LUFS", 1.0),
    "bpm": ("bpm", 1.0), "semitone": ("st", 1.0), "semitones": ("st", 1.0), "octave": ("st", 12.0),
    "octaves": ("st", 12.0), "fourth": ("st", 5.0), "fifth": ("st", 7.0), "percent": ("%", 1.0),
}  # fmt: skip
"""Unit and factor by word."""

APPROXIMATIONS = frozenset({
    "about", "around", "near", "nearly", "roughly", "approximately", "some", "almost", "close", "circa", "ca",
    "approx", "exactly", "just", "only",
})  # fmt: skip
"""Words between a keyword and its number that do not change what it means."""

BACKGROUND = frozenset({
    "background", "room", "some", "faint", "slight", "quiet", "low", "soft", "light", "underlying", "ambient",
    "with", "in", "of", "over", "any", "little", "weak",
})  # fmt: skip
"""Before "noise": the noise under the sound, not the sound."""

NOT_A_COUNTED_ADJECTIVE = frozenset({
    "the", "a", "an", "of", "and", "or", "is", "are", "was", "were", "in", "at", "to", "for", "than", "from", "that",
    "this", "it", "by", "with", "on", "times",
})  # fmt: skip
"""Words that may not stand between a count and what is counted."""
