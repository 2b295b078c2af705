"""Listens to one clip for a person: what was measured, and what of a trace the waveform supports."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np
from rich.console import Console

from earwitness.audio import MEASURED_SECONDS, SAMPLE_RATE, decode_audio, read_clip
from earwitness.printable import clean

NEEDED = ("scipy", "pyworld", "pyloudnorm")
"""Packages of the extra `reward` that a person may be without."""

STDIN = "-"
"""Reasoning given so is read from standard input."""


def main(clip: str, reasoning: str = "", plot: str | None = None, console: Console | None = None) -> None:
    """Prints the measurements of `clip` and a table of the claims of `reasoning`; draws them to the PNG `plot`.

    Raises AudioError if the clip cannot be read.
    """
    for package in NEEDED:
        if find_spec(package) is None:  # said before anything is read: they are imported last
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    console = console or Console()
    if reasoning == STDIN:
        reasoning = sys.stdin.read()
    data = read_clip(clip)
    samples = decode_audio(data, clip, max_seconds=MEASURED_SECONDS)
    peak = 20 * np.log10(max(float(np.abs(samples).max()), 1e-6))
    # At once: what measures needs scipy, whose import takes longer than the measuring.
    console.print(f"{clean(clip)}: {len(samples) / SAMPLE_RATE:.2f} s, peak {peak:.1f} dBFS", markup=False)
    from reward.findings import print_findings

    print_findings(data, samples, reasoning, plot, console)
