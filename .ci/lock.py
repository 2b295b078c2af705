"""Writes the lock files anew: `make lock`.

Versions stay as the locks have them: to change one, change its line and run this. For each package pip says which
*file* it takes for CPython 3.11, 3.12 and 3.13 on x86-64 Linux with glibc 2.31, and its SHA-256 is what the lock says.
An install therefore cannot end with another file of the same version, such as a wheel without the library that it
needs, and a package that would have to be built is refused here. Nothing but the metadata of packages is fetched.

What no index has as a wheel is kept as it stands: the torch without CUDA, and what is built from source for GPUs.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packaging.markers import Marker
from packaging.utils import canonicalize_name

LOCKS = (Path("requirements-cpu.lock"), Path("requirements-torch-cuda.lock"), Path("requirements-gpu.lock"))
PYTHONS = ("3.11", "3.12", "3.13")
GLIBC_MINOR = 31
"""llguidance, which vLLM needs, asks for glibc 2.31; torch and vLLM for 2.28."""

PLATFORMS = (
    *(f"manylinux_2_{minor}_x86_64" for minor in range(GLIBC_MINOR, 4, -1)),
    "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64",
)  # fmt: skip

KEPT = re.compile(r"torch==.*\+cpu|transformer-engine-torch==.*")

HEADER = """\
# Versions by hand, hashes by `make lock`: the files of CPython 3.11, 3.12 and 3.13 on x86-64 Linux, glibc >= 2.31.
"""


def entries_of(lock: Path) -> list[str]:
    """Each entry in one line, `name==version ; marker --hash=...`."""
    lines = lock.read_text().replace("\\\n", " ").splitlines()
    return [" ".join(line.split()) for line in lines if line.strip() and not line.startswith("#")]


def pin_of(entry: str) -> tuple[str, str]:
    """`name==version`, and the marker or nothing."""
    pin, _, marker = entry.partition(" --hash")[0].partition(" ; ")
    return pin, marker


def hashes_for(python: str, pins: list[str]) -> dict[str, str]:
    """The SHA-256 of the file that pip takes of each pin, by canonical name. Raises SystemExit with pip's words."""
    with tempfile.TemporaryDirectory() as folder:
        wanted, report = Path(folder, "wanted.txt"), Path(folder, "report.json")
        # === takes no other build of the version, which == does (torch 2.13.0+cpu for 2.13.0).
        wanted.write_text("\n".join(pins).replace("==", "==="))
        asked = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--no-input"),
                *("--only-binary", ":all:", "--python-version", python, "--target", folder, "--quiet"),
                *(f"--platform={platform}" for platform in PLATFORMS),
                *("--report", str(report), "--requirement", str(wanted)),
            ],
            capture_output=True,
            text=True,
        )
        if asked.returncode:
            raise SystemExit(f"lock: for Python {python}: {asked.stderr.strip()}")
        files = json.loads(report.read_text())["install"]
    return {
        canonicalize_name(file["metadata"]["name"]): file["download_info"]["archive_info"]["hashes"]["sha256"]
        for file in files
    }


def rewrite(lock: Path) -> None:
    """The lock again, with the hashes of the files that pip takes now."""
    entries = entries_of(lock)
    hashes: dict[str, dict[str, None]] = defaultdict(dict)
    asked = [pin_of(entry) for entry in entries if not KEPT.match(entry)]

    def needed(python: str) -> list[str]:
        surroundings = {"python_version": python, "python_full_version": f"{python}.0"}
        return [pin for pin, marker in asked if not marker or Marker(marker).evaluate(surroundings)]

    with ThreadPoolExecutor(len(PYTHONS)) as pool:
        for found in pool.map(lambda python: hashes_for(python, needed(python)), PYTHONS):
            for name, sha256 in found.items():
                hashes[name][f"--hash=sha256:{sha256}"] = None
    lines = []
    for entry in sorted(entries):
        (pin, marker), kept = pin_of(entry), re.findall(r"--hash=\S+", entry)
        files = hashes.get(canonicalize_name(pin.split("==")[0]), dict.fromkeys(kept))
        lines.append(" \\\n    ".join([f"{pin} ; {marker}" if marker else pin, *files]))
    lock.write_text(HEADER + "\n".join(lines) + "\n")


if __name__ == "__main__":
    for lock in LOCKS:
        rewrite(lock)
