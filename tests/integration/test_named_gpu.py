"""Services beside a GPU that is not there."""

import os
import subprocess
import sys

import pytest

from earwitness.local.launch import EXIT_CONFIG


@pytest.mark.parametrize("service", ["services.reference", "services.trainer"])
def test_a_service_does_not_compute_on_the_cpu_in_the_place_of_a_gpu_that_is_named(service: str) -> None:
    """Here is none, or none of that name: the process ends at once, with the reason in its log."""
    done = subprocess.run(
        [sys.executable, "-m", "earwitness.local.launch", service],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "GPU-00000000-no-such", "EW_QUEUE_URL": "redis://127.0.0.1:1/0"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == EXIT_CONFIG, done.stderr
    assert "CUDA_VISIBLE_DEVICES: is 'GPU-00000000-no-such', but CUDA finds no GPU" in done.stdout + done.stderr
