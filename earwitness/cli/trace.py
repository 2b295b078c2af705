"""The command `trace`: one group's way through the mesh, with times."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.tree import Tree

from earwitness.cli.jobs import JobId
from earwitness.cli.terminal import out
from earwitness.cli.where import Where, finds_mesh
from earwitness.errors import InputError
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

VERBS = {"rollout": "generate", "reward": "score", "reference": "reference log-probs"}

MOST_ORDINAL = 2**63 - 1
"""Redis counts no further."""

SHOWN = 10
"""Ordinals that are named where the one that was asked for is not there."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(trace)


@finds_mesh
def trace(
    job_id: JobId,
    ordinal: Annotated[
        int | None, typer.Argument(min=0, max=MOST_ORDINAL, help="Of the group; the newest without it.")
    ] = None,
    *,
    where: Where,
) -> None:
    """Show one group's way through the mesh, with times: issue, weights, generation, scoring.

    Of the newest groups of a job: those that the live page shows.

    Examples:

        earwitness trace quickstart-1a2b3c

        earwitness trace quickstart-1a2b3c 1234
    """
    with where.connect() as mesh:
        groups = mesh.groups(job_id)
    found = [group for group in groups if ordinal is None or group.task.ordinal == ordinal]
    if not found:
        there = ", ".join(str(group.task.ordinal) for group in groups[:SHOWN]) or "none yet"
        raise InputError("ORDINAL", f"{ordinal} is not among the newest groups", f"one of those, such as {there}")
    out.print(tree_of(found[0]))


def tree_of(group: wire.Group) -> Tree:
    """The group as a tree; seconds since it was issued."""
    task, passages = group.task, group.passages
    begin = min((passage.arrived for passage in passages), default=0.0)
    issued = datetime.fromtimestamp(begin).strftime("%H:%M:%S") if passages else "unknown"
    kind = f", {task.prompt.kind}" if task.prompt.kind else ""
    tree = Tree(f"ordinal {task.ordinal} of {task.run_id}{kind}: issued {issued}, {len(group.trajectories)} samples")
    for stay in passages:
        branch = tree.add(f"{stay.arrived - begin:8.3f} s  {stay.station}, {stay.worker}")
        if stay.station == "rollout":
            branch.add(_took(stay.able - stay.arrived, "waits for weights"))
        branch.add(_took(stay.begun - stay.able, "waits for its turn"))
        branch.add(_took(stay.ended - stay.begun, VERBS.get(stay.station, stay.station)))
        if stay.station == "rollout":
            for trajectory in group.trajectories:
                branch.add(_sample(trajectory))
    if passages:
        tree.add(f"{passages[-1].ended - begin:8.3f} s  handed on")
    return tree


def _took(seconds: float, what: str) -> str:
    """Clocks of two machines may differ a little: no wait is negative."""
    return f"{max(0.0, seconds):8.3f} s  {what}"


def _sample(trajectory: wire.Trajectory) -> str:
    versions = ", ".join(f"version {span.version}: {span.tokens} tokens" for span in trajectory.versions)
    outcome = trajectory.reward.drop_reason or ("right" if trajectory.reward.correct else "wrong")
    return f"sample {trajectory.index}: {versions or 'no tokens'}; {outcome}, reward {trajectory.reward.total:.3g}"
