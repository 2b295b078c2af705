"""The command `trace`: one group's way through the mesh, with times."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.tree import Tree

from earwitness.cli.jobs import JobId
from earwitness.cli.terminal import out
from earwitness.cli.where import Where, finds_mesh
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

VERBS = {"rollout": "generate", "reward": "score", "reference": "reference log-probs", "train": "learn"}

MOST_ORDINAL = 2**63 - 1
"""Redis counts no further."""


@finds_mesh
def trace(
    job_id: JobId,
    ordinal: Annotated[
        int | None, typer.Argument(min=0, max=MOST_ORDINAL, help="Of the group; the newest without it.")
    ] = None,
    *,
    where: Where,
) -> None:
    """Show one group's way through the mesh, with times: from submit to what was learned.

    Of the newest groups of a job: some thousand that were learned from, and those that the live page shows.

    Examples:

        earwitness trace quickstart-1a2b3c

        earwitness trace quickstart-1a2b3c 1234
    """
    with where.connect() as mesh:
        found = mesh.group(job_id, ordinal)
    out.print(tree_of(found.group, found.submitted_at))


def tree_of(group: wire.Group, submitted_at: float) -> Tree:
    """The group as a tree; seconds since it was issued."""
    task, passages = group.task, group.passages
    begin = min((passage.arrived for passage in passages), default=submitted_at)
    kind = f", {task.prompt.kind}" if task.prompt.kind else ""
    tree = Tree(f"ordinal {task.ordinal} of {task.run_id}{kind}: {len(group.trajectories)} samples")
    tree.add(f"{submitted_at - begin:8.3f} s  submit, {_clock(submitted_at)}")
    tree.add(f"{0:8.3f} s  issue, {_clock(begin)}: version {task.min_version} or newer")
    for stay in passages:
        made = f": version {stay.version}" if stay.version else ""
        branch = tree.add(f"{stay.arrived - begin:8.3f} s  {stay.station}, {stay.worker}{made}")
        if stay.station == "rollout":
            branch.add(_took(stay.able - stay.arrived, "waits for weights"))
        if stay.station == "train":
            branch.add(_took(stay.able - stay.arrived, "waits for the step's other groups"))
        elif stay.arrived < stay.begun:
            branch.add(_took(stay.begun - stay.able, "waits for its turn"))
        branch.add(_took(stay.ended - stay.begun, VERBS.get(stay.station, stay.station)))
        if stay.station == "rollout":
            for trajectory in group.trajectories:
                branch.add(_sample(trajectory))
    if passages:
        tree.add(f"{max(stay.ended for stay in passages) - begin:8.3f} s  over")
    return tree


def _clock(time: float) -> str:
    return datetime.fromtimestamp(time).strftime("%H:%M:%S")


def _took(seconds: float, what: str) -> str:
    """Clocks of two machines may differ a little: no wait is negative."""
    return f"{max(0.0, seconds):8.3f} s  {what}"


def _sample(trajectory: wire.Trajectory) -> str:
    versions = ", ".join(f"version {span.version}: {span.tokens} tokens" for span in trajectory.versions)
    outcome = trajectory.reward.drop_reason or ("right" if trajectory.reward.correct else "wrong")
    return f"sample {trajectory.index}: {versions or 'no tokens'}; {outcome}, reward {trajectory.reward.total:.3g}"
