"""The command `scale`: more or fewer workers while the mesh works."""

from __future__ import annotations

from typing import Annotated

import typer

from earwitness import cluster
from earwitness.cli.terminal import err, out
from earwitness.cli.where import Where, finds_mesh
from earwitness.errors import InputError
from earwitness.local import control
from earwitness.local.plan import SCALABLE


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(scale)


@finds_mesh
def scale(
    role: Annotated[str, typer.Argument(help="rollout; on this machine also reward.")],
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
    if where.in_cluster:
        scaled = cluster.scale(*where.find(), role, count)
        if scaled.unseen:
            err.print(f"whether an autoscaler undoes this cannot be seen: {scaled.unseen}")
        out.print(f"{role} scaled from {scaled.before} to {scaled.now}")
        return
    if role not in SCALABLE:
        raise InputError("role", f"{role!r} cannot be scaled", " or ".join(SCALABLE))
    if count < 0:
        raise InputError("count", f"{count} is negative", "0 or more")
    control.scale(where.state, role, count)
    out.print(f"{count} {role} workers are healthy")
