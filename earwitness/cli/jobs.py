"""Commands for jobs: submit, watch, list, cancel, pause, resume."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.table import Column, Table

from earwitness.cli.figures import clock
from earwitness.cli.terminal import err, out
from earwitness.cli.where import Where, finds_mesh
from earwitness.client import Mesh, state_name
from earwitness.errors import NotFoundError

JobId = Annotated[str, typer.Argument(help="Id of the job, as `earwitness list` shows it.")]

MOST_JOBS = 100_000
"""More than a mesh keeps."""


@finds_mesh
def submit(
    recipe: Annotated[str, typer.Argument(help="File of a recipe; relative paths in it start here.")],
    follow_it: Annotated[bool, typer.Option("--follow", help="Watch the job until it ends.")] = False,
    request_id: Annotated[str | None, typer.Option(help="The same id submits only once.")] = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="Folder that relative paths start in instead; in a cluster that is the mesh's volume anyway."
        ),
    ] = None,
    *,
    where: Where,
) -> None:
    """Submit a recipe.

    With --follow the last line is the folder of the report, and the exit status says whether the job succeeded.

    Examples:

        earwitness submit recipes/quickstart.yaml --follow

        earwitness submit my.yaml --request-id monday-1

        earwitness submit recipes/quickstart.yaml -n ew --follow
    """
    with where.connect() as mesh:
        job = mesh.submit(recipe, request_id=request_id, base=base)
        if follow_it:
            err.print(f"job {job.job_id}; Ctrl-C stops watching, not the job")
            _follow(mesh, job.job_id)
        else:
            out.print(job.job_id)


@finds_mesh
def watch(
    job_id: Annotated[str | None, typer.Argument(help="Id of the job; without one, that of the running job.")] = None,
    *,
    where: Where,
) -> None:
    """Show a job from its start until it ends.

    Examples:

        earwitness watch

        earwitness watch quickstart-1a2b3c
    """
    with where.connect() as mesh:
        _follow(mesh, job_id or _running(mesh))


def _running(mesh: Mesh) -> str:
    """Id of the job that the mesh works on."""
    seen = mesh.mesh()
    if not seen.HasField("active"):
        raise NotFoundError("no job is running; `earwitness list` shows those that were")
    return seen.active.job_id


@finds_mesh
def list_jobs(
    limit: Annotated[int, typer.Option(min=1, max=MOST_JOBS, help="Most jobs to show.")] = 20,
    *,
    where: Where,
) -> None:
    """List jobs, newest first.

    Example:

        earwitness list --limit 5
    """
    with where.connect() as mesh:
        jobs = mesh.list(limit)
    table = Table(Column("job", overflow="fold"), "state", "stage", "submitted", "took", "reason")
    for job in jobs:
        submitted = datetime.fromtimestamp(job.submitted_at).strftime("%Y-%m-%d %H:%M:%S")
        took = clock(job.ended_at - job.started_at) if job.ended_at and job.started_at else ""
        stage = f"{job.stage_index + 1}/{job.stages} {job.stage_type}"
        table.add_row(job.job_id, state_name(job.state), stage, submitted, took, job.reason)
    out.print(table)


@finds_mesh
def cancel(job_id: JobId, *, where: Where) -> None:
    """Cancel a job; returns once nothing of it runs.

    Example:

        earwitness cancel quickstart-1a2b3c
    """
    with where.connect() as mesh:
        out.print(state_name(mesh.cancel(job_id).state))


@finds_mesh
def pause(job_id: JobId, *, where: Where) -> None:
    """Hold a running job after the work in flight.

    Example:

        earwitness pause quickstart-1a2b3c
    """
    with where.connect() as mesh:
        out.print(state_name(mesh.pause(job_id).state))


@finds_mesh
def resume(job_id: JobId, *, where: Where) -> None:
    """Let a paused job go on.

    Example:

        earwitness resume quickstart-1a2b3c
    """
    with where.connect() as mesh:
        out.print(state_name(mesh.resume(job_id).state))


def _follow(mesh: Mesh, job_id: str) -> None:
    from earwitness.cli.follow import conclusion, follow

    follow(mesh.watch(job_id), out)
    words, code = conclusion(mesh.get(job_id))
    (err if code else out).print(words)
    raise typer.Exit(code)
