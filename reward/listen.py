"""Listens to clips for a person: what was measured, and what of a trace the waveform supports."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from rich.console import Console

from earwitness.audio import MEASURED_SECONDS, SAMPLE_RATE, decode_audio, read_clip
from earwitness.errors import InputError
from earwitness.hearing import MAX_CLIPS
from earwitness.printable import clean
from reward.recognise.named import Named

NEEDED = ("scipy", "pyworld", "pyloudnorm")
"""Packages of the extra `reward` that a person may be without."""

STDIN = "-"
"""Reasoning given so is read from standard input."""


def main(clips: Sequence[str], reasoning: str = "", plot: str | None = None, console: Console | None = None) -> None:
    """Prints the measurements of `clips` and a table of the claims of `reasoning`; draws them to the PNG `plot`.

    What names one of several clips ("clip B", "the second recording") is checked on that one. Raises AudioError if a
    clip cannot be read, InputError for too many clips and for a recogniser that is not there.
    """
    for package in NEEDED:
        if find_spec(package) is None:  # said before anything is read: they are imported last
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    if len(clips) > MAX_CLIPS:
        raise InputError("listen", f"{len(clips)} clips", f"at most {MAX_CLIPS}")
    console, named = console or Console(), Named.from_env()
    if reasoning == STDIN:
        reasoning = sys.stdin.read()
    read = []
    for clip in clips:
        data = read_clip(clip)
        samples = decode_audio(data, clip, max_seconds=MEASURED_SECONDS)
        peak = 20 * np.log10(max(float(np.abs(samples).max()), 1e-6))
        # At once: what measures needs scipy, whose import takes longer than the measuring.
        console.print(f"{clean(clip)}: {len(samples) / SAMPLE_RATE:.2f} s, peak {peak:.1f} dBFS", markup=False)
        read.append((data, samples))
    from reward.findings import print_findings
    from reward.recognise.heard import listen_with

    listen_with(named)
    print_findings(read, reasoning, plot, console)
