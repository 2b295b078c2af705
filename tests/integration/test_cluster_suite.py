"""The tests on a cluster can be collected, and without a cluster they say so instead of failing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_cluster_tests_are_skipped_with_a_reason() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/cluster", "-q", "-rs", "-p", "no:cacheprovider"],
        cwd=ROOT, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "no cluster: KUBECONFIG is not set" in run.stdout
    assert "22 skipped" in run.stdout


def test_a_cluster_that_does_not_answer_is_named(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/cluster", "-q", "-rs", "-p", "no:cacheprovider"],
        cwd=ROOT, env={**os.environ, "KUBECONFIG": str(tmp_path / "none")}, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "no cluster: no cluster: a kubeconfig" not in run.stdout
    assert "no cluster: a kubeconfig" in run.stdout
