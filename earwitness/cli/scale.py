"""The command `scale`: more or fewer workers while the mesh works."""

from __future__ import annotations

from typing import Annotated

import typer

from earwitness import cluster
from earwitness.cli.terminal import err, out
from earwitness.cli.where import Where, finds_mesh
from earwitness.errors import InputError, shown
from earwitness.local import control
from earwitness.local.limits import WORKERS
from earwitness.local.plan import SCALABLE

MOST = 10_000
"""Most workers of a cluster: the largest that Kubernetes is tested with has 5,000 nodes."""


app = typer.Typer(add_completion=False)


@app.command(context_settings={"ignore_unknown_options": True})  # -1 is a number, not an option
@finds_mesh
def scale(
    role: Annotated[str, typer.Argument(help="rollout; on this machine also reward, recogniser.")],
    count: Annotated[int, typer.Argument(help="Workers wanted.")],
    *,
    where: Where,
) -> None:
    """Change the number of workers, while the mesh works.

    On this machine it returns when they are healthy; in a cluster at once, and `earwitness status` shows them come.

    Examples:

        earwitness scale rollout 3

        earwitness scale rollout 8 -n ew
    """
    words, unseen = change(where, role, count)
    if unseen:
        err.print(unseen)
    out.print(words)


def change(where: Where, role: str, count: int) -> tuple[str, str]:
    """Ask for `count` workers: what came of it, and what could not be seen, empty if nothing.

    Raises InputError, and what a cluster or the local mesh refuses.
    """
    most = MOST if where.in_cluster else WORKERS
    if not 0 <= count <= most:
        raise InputError("count", f"{shown(count)} is {'negative' if count < 0 else 'too many'}", f"0 to {most}")
    if where.in_cluster:
        scaled = cluster.scale(*where.find(), role, count)
        unseen = f"whether an autoscaler undoes this cannot be seen: {scaled.unseen}" if scaled.unseen else ""
        return f"{role} scaled from {scaled.before} to {scaled.now}", unseen
    if role not in SCALABLE:
        raise InputError("role", f"{role!r} cannot be scaled", " or ".join(SCALABLE))
    control.scale(where.state, role, count)
    return f"{count} {role} workers are healthy", ""
