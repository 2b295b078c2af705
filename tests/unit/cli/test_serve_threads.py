"""`earwitness serve` beside its engine."""

from __future__ import annotations

import os
import subprocess
import sys

SERVE = """
import os, sys
from types import SimpleNamespace
import earwitness.cli.serve as cli
seen = lambda *_, **__: print(os.environ["OPENBLAS_NUM_THREADS"], "numpy" in sys.modules)
sys.modules["serving.settings"] = SimpleNamespace(Settings=lambda *_: None)
sys.modules["serving.program"] = SimpleNamespace(main=seen)
cli.serve()
"""


def test_numpy_finds_one_thread_asked_for_when_it_is_loaded() -> None:
    """Else the log-mel of a clip, which all sessions wait for, spins on the engine's core."""
    unset = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    said = subprocess.run([sys.executable, "-c", SERVE], env=unset, capture_output=True, text=True, check=True).stdout
    assert said == "1 False\n"
