"""Commands for jobs: submit, watch, list, cancel, pause, resume."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table

from earwitness.cli.follow import clock, conclusion, follow
from earwitness.cli.terminal import FOLDER, Address, Folder, Token, connect, err, out, shows_errors
from earwitness.client import Mesh, state_name

JobId = Annotated[str, typer.Argument(help="Id of the job, as `earwitness list` shows it.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (submit, watch, cancel, pause, resume):
        app.command()(command)
    app.command("list")(list_jobs)


@shows_errors
def submit(
    recipe: Annotated[str, typer.Argument(help="File of a recipe; relative paths in it start here.")],
    follow_it: Annotated[bool, typer.Option("--follow", help="Watch the job until it ends.")] = False,
    request_id: Annotated[str | None, typer.Option(help="The same id submits only once.")] = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="Folder that relative paths start in instead: of the mesh's volume if it is not on this machine."
        ),
    ] = None,
    state: Folder = FOLDER,
    address: Address = None,
    token: Token = None,
) -> None:
    """Submit a recipe.

    With --follow the last line is the folder of the report, and the exit status says whether the job succeeded.

    Examples:

        earwitness submit recipes/quickstart.yaml --follow

        earwitness submit my.yaml --request-id monday-1

        earwitness submit recipes/quickstart.yaml --base /data --address localhost:7070
    """
    with connect(address, token, state) as mesh:
        job = mesh.submit(recipe, request_id=request_id, base=base)
        if follow_it:
            err.print(f"job {job.job_id}; Ctrl-C stops watching, not the job", markup=False)
            _follow(mesh, job.job_id)
        else:
            out.print(job.job_id, markup=False)


@shows_errors
def watch(job_id: JobId, state: Folder = FOLDER, address: Address = None, token: Token = None) -> None:
    """Show a job from its start until it ends.

    Example:

        earwitness watch quickstart-1a2b3c
    """
    with connect(address, token, state) as mesh:
        _follow(mesh, job_id)


@shows_errors
def list_jobs(
    limit: Annotated[int, typer.Option(min=1, help="Most jobs to show.")] = 20,
    state: Folder = FOLDER,
    address: Address = None,
    token: Token = None,
) -> None:
    """List jobs, newest first.

    Example:

        earwitness list --limit 5
    """
    with connect(address, token, state) as mesh:
        jobs = mesh.list(limit)
    table = Table("job", "state", "stage", "submitted", "took", "reason")
    for job in jobs:
        submitted = datetime.fromtimestamp(job.submitted_at).strftime("%Y-%m-%d %H:%M:%S")
        took = clock(job.ended_at - job.started_at) if job.ended_at and job.started_at else ""
        stage = f"{job.stage_index + 1}/{job.stages} {job.stage_type}"
        table.add_row(job.job_id, state_name(job.state), stage, submitted, took, job.reason)
    out.print(table)


@shows_errors
def cancel(job_id: JobId, state: Folder = FOLDER, address: Address = None, token: Token = None) -> None:
    """Cancel a job; returns once nothing of it runs.

    Example:

        earwitness cancel quickstart-1a2b3c
    """
    with connect(address, token, state) as mesh:
        out.print(state_name(mesh.cancel(job_id).state))


@shows_errors
def pause(job_id: JobId, state: Folder = FOLDER, address: Address = None, token: Token = None) -> None:
    """Hold a running job after the work in flight.

    Example:

        earwitness pause quickstart-1a2b3c
    """
    with connect(address, token, state) as mesh:
        out.print(state_name(mesh.pause(job_id).state))


@shows_errors
def resume(job_id: JobId, state: Folder = FOLDER, address: Address = None, token: Token = None) -> None:
    """Let a paused job go on.

    Example:

        earwitness resume quickstart-1a2b3c
    """
    with connect(address, token, state) as mesh:
        out.print(state_name(mesh.resume(job_id).state))


def _follow(mesh: Mesh, job_id: str) -> None:
    follow(mesh.watch(job_id), out)
    words, code = conclusion(mesh.get(job_id))
    (err if code else out).print(words, markup=False)
    raise typer.Exit(code)
