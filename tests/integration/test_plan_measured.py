"""The plan's memory against the peak of real training steps."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_memory_model_is_within_ten_percent_of_measured_peaks():
    command = [sys.executable, "-W", "ignore", str(ROOT / "benchmarks" / "plan.py"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr[-4000:]
    results = json.loads(done.stdout)
    assert len(results) >= 3
    assert {r["configuration"]: r["error"] for r in results if abs(r["error"]) > 0.10} == {}
    assert all(r["predicted"] == pytest.approx(sum(r["parts"].values())) for r in results)
