"""Phrases which show that a trace guesses from words (*textual surrogate reasoning*) or denies hearing."""

from __future__ import annotations

import re
from collections.abc import Callable

from reward.denials import denial
from reward.guesses import guess

MAX_TRACE_CHARS = 20_000
"""A phrase that shows guessing comes early and often; reading further only costs time."""
_SENTENCE = re.compile(r"[^.!?\n]+")


def surrogate_phrase(reasoning: str) -> str:
    """The first phrase of `reasoning` that guesses from words or denies hearing; empty if there is none."""
    sentences = _sentences(reasoning)
    return _first(guess, sentences) or _first(denial, sentences)


def denial_phrase(text: str) -> str:
    """The first phrase of `text`, a trace or an answer, that denies hearing the clip; empty if there is none."""
    return _first(denial, _sentences(text))


def _sentences(text: str) -> list[str]:
    return _SENTENCE.findall(text[:MAX_TRACE_CHARS].replace("’", "'"))


def _first(find: Callable[[str], str], sentences: list[str]) -> str:
    return next(filter(None, map(find, sentences)), "")
