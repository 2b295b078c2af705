"""The table of phrases, and how it is filled: every module beside this one adds its own."""

from __future__ import annotations

from collections.abc import Mapping

from reward.parse.meanings import Meaning

MEANINGS: dict[tuple[str, ...], Meaning] = {}
"""Longest match wins."""


def add(phrases: Mapping[Meaning, str]) -> None:
    """Adds the comma-separated phrases of each meaning; `a|b c` stands for "a c" and "b c"."""
    for meaning, said in phrases.items():
        for phrase in said.split(","):
            forms: list[tuple[str, ...]] = [()]
            for word in phrase.split():
                forms = [(*form, option) for form in forms for option in word.split("|")]
            MEANINGS.update(dict.fromkeys(forms, meaning))
