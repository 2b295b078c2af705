"""Finds and ends the processes of a mesh, whoever their parent is now.

Every process of a mesh inherits EW_MESH (the mesh) and EW_NAME (its place in it) from the supervisor, so /proc tells
them apart even after their parents died: torchrun and vLLM start processes of their own, in sessions of their own.
Where there is no /proc this finds nothing, and only the process groups are ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

POLL_SECONDS = 0.05


def tagged(mesh: str, name: str | None = None) -> list[int]:
    """Process ids of the mesh, or of the one place `name` in it; never our own."""
    wanted = {f"EW_MESH={mesh}".encode()} | ({f"EW_NAME={name}".encode()} if name is not None else set())
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        try:
            environ = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it ended just now, or belongs to somebody else
            continue
        if pid != os.getpid() and wanted <= set(environ):
            found.append(pid)
    return found


def born(pid: int) -> int:
    """Start time of a process in clock ticks since boot; 0 if there is none, if it is a zombie, or without /proc."""
    try:
        # The second field is the program's name in brackets, which may hold spaces.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] == "Z" else int(fields[19])


def alive(pid: int, since: int) -> bool:
    """True if the process that was born at `since` (0: without /proc) still runs."""
    if since:
        return born(pid) == since
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Signal processes; those that are gone already are no mistake."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def end_all(mesh: str, grace_seconds: float, name: str | None = None) -> list[int]:
    """End what `tagged` finds: SIGTERM, and SIGKILL after `grace_seconds`. Returns the ids that needed SIGKILL."""
    left = tagged(mesh, name)
    if grace_seconds > 0:
        send(left, signal.SIGTERM)
        deadline = time.monotonic() + grace_seconds
        while left and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            left = tagged(mesh, name)
    killed: list[int] = []
    # A process may start another between our look and our signal, so look again until nobody is left.
    for _ in range(20):
        if not left:
            break
        send(left, signal.SIGKILL)
        killed.extend(p for p in left if p not in killed)
        time.sleep(POLL_SECONDS)
        left = tagged(mesh, name)
    return killed
