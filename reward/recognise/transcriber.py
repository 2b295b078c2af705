"""What is said: a speech recogniser that the person names, a folder that transformers loads (Whisper, CTC models)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from earwitness.audio import SAMPLE_RATE
from earwitness.errors import InputError
from reward.recognise.track import NotHeard, Samples

PIECE_SECONDS = 28.0
"""Whisper hears 30 s at once."""
OVERLAP_SECONDS = 6.0
"""What is looked for stands whole in a piece: nobody quotes more than 6 s."""
EXPECTED = "a folder with a speech recogniser of transformers, its tokeniser and its feature extractor"


class SpeechRecogniser:
    """Greedy, on the CPU: the same clip has the same words."""

    def __init__(self, folder: Path) -> None:
        """Raises InputError naming the folder. Nothing is fetched, and no code of the folder runs."""
        from transformers import pipeline  # takes seconds, which only who names a folder waits for

        if not folder.is_dir():
            raise InputError(str(folder), "there is no such folder", EXPECTED)
        try:
            self._pipeline: Any = pipeline(
                "automatic-speech-recognition", model=str(folder), device="cpu", trust_remote_code=False
            )
        except Exception as error:  # whatever transformers finds wrong with a folder
            raise InputError(str(folder), f"it cannot be loaded: {str(error)[:200]}", EXPECTED) from error
        rate = self._pipeline.feature_extractor.sampling_rate
        if rate != SAMPLE_RATE:
            raise InputError(str(folder), f"it hears sound at {rate} Hz", f"{SAMPLE_RATE} Hz")
        self._lock = threading.Lock()

    def transcribe(self, samples: Samples) -> Sequence[str]:
        """The words of each piece of the clip, which overlap."""
        size, step = (round(t * SAMPLE_RATE) for t in (PIECE_SECONDS, PIECE_SECONDS - OVERLAP_SECONDS))
        starts = range(0, max(1, len(samples) - size + step), step)
        try:
            with self._lock:
                return [self._pipeline(samples[start : start + size])["text"] for start in starts]
        except (RuntimeError, ValueError, IndexError) as error:
            raise NotHeard(f"the speech recogniser failed: {str(error)[:100]}") from error
