"""CPU seconds that a person waits for the command line to answer: the least of several runs of each command.

python benchmarks/cli.py [--json]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

RUNS = 5
RECIPE = Path(__file__).parents[1] / "recipes/quickstart.yaml"
COMMANDS = {
    "help": ["--help"],
    "validate": ["validate", str(RECIPE)],
    "list": ["list"],
    "status": ["status"],
}
"""`list` and `status` are asked where there is no mesh: what they import is the same."""


def cpu_seconds(arguments: list[str], folder: str) -> float:
    """User and system seconds of one run."""
    before = getrusage(RUSAGE_CHILDREN)
    environment = {k: v for k, v in os.environ.items() if k not in ("EW_STATE", "EW_ADDRESS")}
    subprocess.run([sys.executable, "-m", "earwitness", *arguments], cwd=folder, env=environment, capture_output=True)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print a line for each command, or one JSON object."""
    with tempfile.TemporaryDirectory() as folder:
        least = {name: min(cpu_seconds(c, folder) for _ in range(RUNS)) for name, c in COMMANDS.items()}
    if "--json" in sys.argv[1:]:
        print(json.dumps({"cli_cpu_s": {name: round(seconds, 3) for name, seconds in least.items()}}))
        return
    for name, seconds in least.items():
        print(f"{name:10} {seconds:.2f} s of CPU")


if __name__ == "__main__":
    main()
