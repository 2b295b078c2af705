"""The GPUs, with driver and compute capability, if there are any."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from earwitness.doctor.finding import Finding

ASK_SECONDS = 20.0
"""A driver that is being loaded takes a while."""

LEAST_CAPABILITY = 8.0
"""Ampere: bfloat16 in hardware."""

QUERY = "name,driver_version,compute_cap,memory.total"


def gpus(devices: Path = Path("/dev")) -> Finding:
    """What the driver says of them."""
    files = sorted(devices.glob("nvidia[0-9]*"))
    program = shutil.which("nvidia-smi")
    if program is None:
        if files:
            return Finding("GPUs", f"{len(files)} device files but no nvidia-smi", "NVIDIA's driver and its tools")
        return Finding("GPUs", "none; everything runs on the CPU")
    done = subprocess.run(
        [program, f"--query-gpu={QUERY}", "--format=csv,noheader"], capture_output=True, text=True, timeout=ASK_SECONDS
    )
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines() if line.count(",") == 3]
    if done.returncode or not rows:
        words = " ".join((done.stderr or done.stdout).split())[:200]
        return Finding("GPUs", f"nvidia-smi: {words or 'no GPU'}", "NVIDIA's driver, of the version of its libraries")
    found = "; ".join(f"{name}, {memory}, capability {cap}" for name, _, cap, memory in rows)
    old = [name for name, _, cap, _ in rows if _number(cap) < LEAST_CAPABILITY]
    mend = f"GPUs of capability {LEAST_CAPABILITY} or newer in place of {', '.join(old)}: bfloat16" if old else ""
    return Finding("GPUs", f"driver {rows[0][1]}: {found}", mend)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
