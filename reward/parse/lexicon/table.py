"""The table of phrases, and how it is filled: every module beside this one adds its own."""

from __future__ import annotations

from reward.parse.meanings import Meaning

MEANINGS: dict[tuple[str, ...], Meaning] = {}
"""Longest match wins."""


def add(meaning: Meaning, phrases: str) -> None:
    """Adds comma-separated phrases; `a|b c` stands for "a c" and "b c"."""
    for phrase in phrases.split(","):
        forms: list[tuple[str, ...]] = [()]
        for word in phrase.split():
            forms = [(*form, option) for form in forms for option in word.split("|")]
        for form in forms:
            MEANINGS[form] = meaning
