"""The command `logs`: what processes or pods have written."""

from __future__ import annotations

import collections
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from earwitness.cli.where import Where, finds_mesh
from earwitness.cluster import log_lines
from earwitness.errors import InputError
from earwitness.local.state import SUPERVISOR_LOG
from earwitness.printable import clean

MOST_LINES = 1_000_000
"""As many stand in memory before they are shown."""
LOOK_SECONDS = 0.3
"""Between two looks at a local file that is followed."""


@finds_mesh
def logs(
    service: Annotated[str, typer.Argument(help="A service, for example rollout: all of it; or one process or pod.")],
    lines: Annotated[int, typer.Option("--lines", min=1, max=MOST_LINES, help="Lines from the end, of each.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come, until Ctrl-C.")] = False,
    *,
    where: Where,
) -> None:
    """Show logs. Where there are several, each line says whose it is.

    Examples:

        earwitness logs trainer -f

        earwitness logs rollout -f -n ew
    """
    if where.in_cluster:
        written = log_lines(*where.find(), service, lines, follow=follow)
    else:
        written = _local_lines(_logs_of(service, where.state), lines, follow)
    for name, line in written:
        print(clean(f"[{name}] {line}" if name else line), flush=follow)


def _logs_of(service: str, folder: Path) -> dict[str, Path]:
    """File by process. Logs stay after the mesh is down, so they are found by file."""
    found = {p.stem: p for p in (folder / "logs").glob("*.log")}
    found |= {name: path for name in ("queue", "weights") if (path := folder / name / f"{name}-redis.log").exists()}
    if (supervisor := folder / SUPERVISOR_LOG).exists():
        found["supervisor"] = supervisor
    chosen = {n: p for n, p in sorted(found.items()) if n == service or n.rpartition("-")[0] == service}
    if not chosen:
        known = ", ".join(sorted(found)) or f"a mesh in {folder}; there is none"
        raise InputError("service", f"there is no log of {service!r}", known)
    return chosen


def _local_lines(files: dict[str, Path], tail: int, follow: bool) -> Iterator[tuple[str, str]]:
    """Name (empty for a single one) and line."""
    open_files = {name: path.open(encoding="utf-8", errors="replace") for name, path in files.items()}
    shown = {name: name if len(files) > 1 else "" for name in files}
    try:
        for name, file in open_files.items():
            yield from ((shown[name], line.rstrip("\n")) for line in collections.deque(file, maxlen=tail))
        rest = dict.fromkeys(files, "")
        while follow:
            for name, file in open_files.items():
                *whole, rest[name] = (rest[name] + file.read()).split("\n")
                yield from ((shown[name], line) for line in whole)
            time.sleep(LOOK_SECONDS)
    finally:
        for file in open_files.values():
            file.close()
