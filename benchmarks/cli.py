"""What a person waits for at the command line: the least of several runs of each command.

python benchmarks/cli.py [--json]

CPU seconds of the commands that only ask; wall seconds of `listen` on a 10 s clip, until its first line and in all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import numpy as np
import soundfile

RUNS = 5
RECIPE = Path(__file__).parents[1] / "recipes/quickstart.yaml"
COMMANDS = {
    "help": ["--help"],
    "validate": ["validate", str(RECIPE)],
    "list": ["list"],
    "status": ["status"],
}
"""`list` and `status` are asked where there is no mesh: what they import is the same."""
CLIP_SECONDS = 10
RATE = 16_000


def cpu_seconds(arguments: list[str], folder: str) -> float:
    """User and system seconds of one run."""
    before = getrusage(RUSAGE_CHILDREN)
    environment = {k: v for k, v in os.environ.items() if k not in ("EW_STATE", "EW_ADDRESS")}
    subprocess.run([sys.executable, "-m", "earwitness", *arguments], cwd=folder, env=environment, capture_output=True)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write_clip(file: Path) -> None:
    """A tone each second, each higher than the one before, in noise."""
    times = np.arange(CLIP_SECONDS * RATE) / RATE
    tones = 0.3 * np.sin(2 * np.pi * (220 + 60 * np.floor(times)) * times) * (times % 1 < 0.5)
    soundfile.write(file, tones + 1e-3 * np.random.default_rng(1).normal(size=len(times)), RATE)


def listen_seconds(clip: Path) -> tuple[float, float]:
    """Of one run: until the first line, and until the end."""
    started = time.monotonic()
    command = [sys.executable, "-m", "earwitness", "listen", str(clip), "--reasoning", "The pitch climbs."]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        first = time.monotonic() - started
        process.stdout.read()
    return first, time.monotonic() - started


def measured() -> dict[str, dict[str, float]]:
    """`cli_cpu_s` by command, and `listen_s`."""
    with tempfile.TemporaryDirectory() as folder:
        cpu = {name: min(cpu_seconds(c, folder) for _ in range(RUNS)) for name, c in COMMANDS.items()}
        clip = Path(folder) / "clip.wav"
        write_clip(clip)
        first, whole = zip(*(listen_seconds(clip) for _ in range(RUNS)), strict=True)
    return {
        "cli_cpu_s": {name: round(seconds, 3) for name, seconds in cpu.items()},
        "listen_s": {"first_line": round(min(first), 3), "all": round(min(whole), 3)},
    }


def main() -> None:
    """Print a line for each command, or one JSON object."""
    figures = measured()
    if "--json" in sys.argv[1:]:
        print(json.dumps(figures))
        return
    for name, seconds in figures["cli_cpu_s"].items():
        print(f"{name:10} {seconds:.2f} s of CPU")
    print("{:10} {first_line:.2f} s until the first line, {all:.2f} s in all".format("listen", **figures["listen_s"]))


if __name__ == "__main__":
    main()
