"""What the shipped listener hears, asked through vLLM and judged by the reward; whether its recipe makes it again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from earwitness.jobs.report.stats import wilson
from earwitness.probe.kinds import KINDS

ROOT = Path(__file__).parents[2]
SEED = 4242
"""Of clips that no recipe uses."""
CLIPS = 8
"""Of each kind: 112 answers."""
LEAST_RIGHT = 0.8
"""Of those; without hearing, two of five would be right."""
LEAST_SUPPORTED = 0.8
"""Of its claims."""
AGAIN_CLIPS = 60
"""Of each kind, for the two listeners that are compared."""


def heard(model: Path, clips: int) -> dict[str, dict[str, float]]:
    """Figures by kind, from the program that makes the table of docs/listener.md; vLLM runs in a process of its own."""
    command = [sys.executable, "benchmarks/listener.py", "--model", str(model), "--clips", str(clips)]
    done = subprocess.run(
        [*command, "--seed", str(SEED), "--json"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_it_answers_by_listening():
    figures = heard(ROOT / "models" / "listener", CLIPS)
    assert set(figures) == {kind.name for kind in KINDS} | {"all"}
    assert figures["all"]["clips"] == CLIPS * len(KINDS)
    assert figures["all"]["accuracy"] >= LEAST_RIGHT, figures
    assert figures["all"]["supported"] >= LEAST_SUPPORTED, figures


@pytest.mark.long
@pytest.mark.timeout(3 * 3600)
def test_its_recipe_makes_it_again(tmp_path):
    """A run of recipes/listener.yaml hears as well as the files in the repository, within both intervals."""
    earwitness = [sys.executable, "-m", "earwitness"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "EW_STATE": str(tmp_path / "state")}
    subprocess.run([*earwitness, "up", "--rollout", "0", "--detach", "--fresh"], env=env, check=True)
    try:
        submit = ["submit", str(ROOT / "recipes" / "listener.yaml"), "--base", str(tmp_path), "--follow"]
        subprocess.run([*earwitness, *submit], env=env, check=True)
    finally:
        subprocess.run([*earwitness, "down"], env=env, check=True)
    taught = max((tmp_path / "runs" / "listener").glob("*/checkpoints/*-sft/step-*/hf"))
    again, shipped = heard(taught, AGAIN_CLIPS), heard(ROOT / "models" / "listener", AGAIN_CLIPS)
    for kind in (kind.name for kind in KINDS):
        low, high = wilson(shipped[kind]["accuracy"], AGAIN_CLIPS)
        low_again, high_again = wilson(again[kind]["accuracy"], AGAIN_CLIPS)
        assert low_again <= high and low <= high_again, f"{kind}: {again[kind]} instead of {shipped[kind]}"
