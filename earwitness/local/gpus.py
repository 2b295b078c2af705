"""The GPUs that processes started here may use, by the names that CUDA_VISIBLE_DEVICES takes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from earwitness.errors import InputError

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""CUDA's own variable: numbers, UUIDs (or their beginnings), MIG names, with commas between."""
ASK_SECONDS = 20.0
"""A driver that is being loaded takes a while."""
_LISTED = re.compile(r"^\s*(GPU|MIG).*\(UUID: ((?:GPU|MIG)-[^)\s]+)\)")
"""A line of `nvidia-smi -L`: of a GPU, or, indented below it, of one of its MIG slices."""


def gpus_here(
    environ: Mapping[str, str] = os.environ, devices: Path = Path("/dev"), program: str = "nvidia-smi"
) -> tuple[str, ...]:
    """What `environ` chooses, or all: UUIDs, since these say the same in every process and container.

    Raises InputError if it chooses a GPU that is not there: CUDA would leave it out, and all behind it, in silence.
    """
    listed = _listed(program)
    names = _named(environ)
    if names is None:
        # A container may have /dev/nvidia5 only: CUDA counts what there is from 0.
        return _usable(listed) or tuple(str(i) for i, _ in enumerate(devices.glob("nvidia[0-9]*")))
    return tuple(_known(name, listed) for name in names)


def require_found(found: int, environ: Mapping[str, str] = os.environ) -> None:
    """Raises InputError if `environ` names more GPUs than CUDA has found: it would compute elsewhere in silence."""
    names = _named(environ) or ()
    if len(names) > found:
        problem = f"is {environ[VISIBLE]!r}, but CUDA finds {f'only {found} of them' if found else 'no GPU'}"
        raise InputError(VISIBLE, problem, "GPUs that are there; empty for the CPU")


def _named(environ: Mapping[str, str]) -> list[str] | None:
    """What `environ` chooses, which may be no GPU at all; None if it says nothing."""
    chosen = environ.get(VISIBLE)
    if chosen is None:
        return None
    names = [name.strip() for name in chosen.split(",")]
    return [] if names[0] in ("", "-1", "none", "void", "NoDevFiles") else names


def _listed(program: str) -> list[tuple[str, list[str]]]:
    """The UUID of each GPU with those of its slices, as the driver counts them; none without a driver."""
    path = shutil.which(program)
    if path is None:
        return []
    try:
        done = subprocess.run([path, "-L"], capture_output=True, text=True, timeout=ASK_SECONDS)
    except (OSError, subprocess.TimeoutExpired):  # `earwitness doctor` says what is wrong with it
        return []
    found: list[tuple[str, list[str]]] = []
    for line in done.stdout.splitlines():
        match = _LISTED.match(line)
        if match and match[1] == "GPU":
            found.append((match[2], []))
        elif match and found:
            found[-1][1].append(match[2])
    return found


def _usable(listed: list[tuple[str, list[str]]]) -> tuple[str, ...]:
    """A GPU that is cut into slices can only be used by these."""
    return tuple(name for gpu, slices in listed for name in (slices or [gpu]))


def _known(name: str, listed: list[tuple[str, list[str]]]) -> str:
    """`name` as vLLM and CUDA both take it: a whole UUID, where it is the beginning of one."""
    if not listed:
        return name
    if re.fullmatch(r"[0-9]{1,9}", name) and int(name) < len(listed):
        return name
    everything = [uuid for gpu, slices in listed for uuid in (gpu, *slices)]
    matching = [uuid for uuid in everything if uuid.startswith(name)] if name.startswith(("GPU-", "MIG-")) else []
    if len(matching) != 1 and not name.startswith("MIG-GPU-"):  # older drivers' names of slices, not listed
        there = f"a number below {len(listed)}, or one of {', '.join(everything)}"
        raise InputError(VISIBLE, f"{name!r} is no GPU of this machine", there)
    return matching[0] if matching else name
