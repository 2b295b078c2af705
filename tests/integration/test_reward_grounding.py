"""The labelled set: how often the verdict on a claim is right, family by family."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLIPS = 12
"""Of each family: 2,000 pairs in all."""
PRECISION, RECALL = 0.97, 0.90


@pytest.fixture(scope="module")
def result() -> dict:
    """What the benchmark prints."""
    command = [sys.executable, "benchmarks/grounding.py", "--clips", str(CLIPS), "--json", "--misses"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) | {"misses": done.stderr}


def test_there_are_enough_pairs_of_every_family(result):
    assert result["pairs"] >= 1000
    wanted = {
        "pitch", "direction", "count", "loudness", "duration", "tempo", "regularity", "timbre", "brightness (free)",
        "pauses", "chords", "harmonics", "drums", "noisiness", "repetition", "left and right", "level (LUFS, dBFS)",
        "speaking rate", "before and after", "beginning and end", "counts around a time", "contour", "swelling",
        "negation", "doubt and quotation", "hedges and notations",
    }  # fmt: skip
    if shutil.which("espeak-ng"):
        wanted.add("speech (espeak-ng)")
    assert wanted <= set(result["families"])


def test_verdicts_are_precise_and_complete_in_every_family(result):
    for name, family in result["families"].items():
        for verdict in ("supported", "contradicted"):
            assert family[verdict]["precision"] >= PRECISION, f"{name}, {verdict}: {result['misses']}"
            assert family[verdict]["recall"] >= RECALL, f"{name}, {verdict}: {result['misses']}"
