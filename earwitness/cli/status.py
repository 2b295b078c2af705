"""The command `status`: processes or pods, workers, queue and the running job of a mesh."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.table import Column, Table

from earwitness.cli.figures import clock
from earwitness.cli.terminal import err, out
from earwitness.cli.where import Where, finds_mesh
from earwitness.client import Mesh, state_name
from earwitness.cluster import Api, Forbidden, Release, explained, parts_of, pods_of
from earwitness.local import control
from earwitness.local.state import read_state
from earwitness.wire.jobs.v1 import jobs_pb2


@finds_mesh
def status(*, where: Where) -> None:
    """Show the processes or pods, the workers with their weight versions, the queue and the job.

    Examples:

        earwitness status

        earwitness status -n ew
    """
    if where.in_cluster:
        api, release = where.find()
        _show_pods(api, release)
        _show_lacking(api, release)
        with Mesh.of_release(api, release, token=where.token) as mesh:
            _show(mesh.mesh())
        return
    if not where.address:
        _show_processes(where.state)
    with where.connect() as mesh:
        _show(mesh.mesh())


def _show_pods(api: Api, release: Release) -> None:
    table = _table(f"release {release.name} in {release.namespace}", "pod", "ready", "state", "restarts", "image",
                   "node", "age")  # fmt: skip
    pods = pods_of(api, release)
    for pod in pods:
        table.add_row(pod.name, "yes" if pod.ready else "no", pod.state, str(pod.restarts), pod.version, pod.node,
                      clock(pod.age_seconds))  # fmt: skip
    out.print(table)
    for pod in pods:
        if pod.message and not pod.ready:
            out.print(f"{pod.name} is {pod.said}")


def _show_lacking(api: Api, release: Release) -> None:
    """What the release is to have and has not, with the reason. Whoever may not see it is told so."""
    try:
        parts = parts_of(api, release)
        table = _table("wanted", "service", "wanted", "there", "ready")
        for part in parts:
            table.add_row(part.name, str(part.wanted), str(part.there), str(part.ready))
        out.print(table)
        for part in explained(api, release, parts):
            out.print(part.said)
    except Forbidden as error:
        err.print(f"why something is missing cannot be seen: {error}")


def _show_processes(folder: Path) -> None:
    """The local mesh; ends the command if it is down."""
    local = read_state(folder)
    table = _table("this machine", "process", "state", "pid", "restarts", "address")
    for process in local.processes:
        table.add_row(process.name, process.state, str(process.pid), str(process.restarts), process.address)
    out.print(table)
    if local.failure or not control.is_up(local):
        out.print(f"the mesh is down{': ' + local.failure if local.failure else ''}")
        raise typer.Exit(1)


def _show(seen: jobs_pb2.GetMeshResponse) -> None:
    workers = _table("workers", "worker", "role", "state", "version", "tasks", "tokens/s", "seen")
    for w in seen.workers:
        workers.add_row(w.name, w.role, w.state, str(w.version), str(w.tasks), f"{w.tokens_per_second:.0f}",
                        f"{w.seen_seconds_ago:.0f} s ago")  # fmt: skip
    out.print(workers)
    streams = _table("queue", "stream", "waiting", "in hand", "oldest")
    for s in seen.streams:
        oldest = clock(s.oldest_seconds) if s.waiting or s.pending else ""
        streams.add_row(s.stream, str(s.waiting), str(s.pending), oldest)
    out.print(streams)
    if not seen.HasField("active"):
        out.print("no job is running")
        return
    job = seen.active
    stage = f"stage {job.stage_index + 1} of {job.stages} {job.stage_type} {job.phase}".rstrip()
    steps = f"step {job.step} of {job.steps}, weight version {seen.version}"
    since = f"last got on {clock(seen.still_seconds)} ago"
    out.print(f"job {job.job_id} is {state_name(job.state)}: {stage}, {steps}, {since}")


def _table(title: str, name: str, *columns: str) -> Table:
    """Names are what other commands want, so they are never cut."""
    return Table(Column(name, overflow="fold"), *columns, title=title, title_justify="left")
