"""Commands for the mesh of this machine: up, down, status, scale, logs."""

from __future__ import annotations

import collections
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from earwitness.cli.terminal import FOLDER, Address, Folder, Token, connect, err, out, shows_errors
from earwitness.errors import InputError
from earwitness.local import control
from earwitness.local.plan import SCALABLE, Options
from earwitness.local.state import read_state
from earwitness.local.supervisor import run_supervisor


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (up, down, status, scale, logs):
        app.command()(command)


@shows_errors
def up(
    rollout: Annotated[int, typer.Option(min=0, help="Rollout workers (vLLM).")] = 1,
    reward: Annotated[int, typer.Option(min=0, help="Reward workers.")] = 1,
    trainer_ranks: Annotated[int, typer.Option(min=1, help="Trainer processes (Megatron-core).")] = 1,
    redis: Annotated[str | None, typer.Option(help="URL of an own queue Redis; default: an embedded one.")] = None,
    weights_redis: Annotated[str, typer.Option(help="URLs of own weight shards, with commas between.")] = "",
    state: Folder = FOLDER,
    detach: Annotated[bool, typer.Option("--detach", help="Return once every process is healthy.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the jobs service; 0: a free one.")] = 0,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the jobs of earlier meshes in this folder.")] = False,
) -> None:
    """Start the mesh on this machine.

    Without --detach it runs until Ctrl-C. Jobs outlive the mesh: the next `up` in the same folder goes on with them,
    unless it says --fresh.

    Examples:

        earwitness up --rollout 2 --detach

        earwitness up --redis redis://:password@host:6379/0
    """
    shards = tuple(u.strip() for u in weights_redis.split(",") if u.strip())
    options = Options(state, rollout, reward, trainer_ranks, redis, shards, port, fresh)
    if detach:
        started = time.monotonic()
        mesh = control.start_detached(options, lambda line: err.print(line, markup=False))
        out.print(f"mesh up at {mesh.address} after {time.monotonic() - started:.0f} s; logs in {state / 'logs'}")
    else:
        control.require_none(state)
        run_supervisor(options, lambda line: out.print(line, markup=False))


@shows_errors
def down(state: Folder = FOLDER) -> None:
    """Stop the mesh on this machine, and leave no process behind.

    Example:

        earwitness down
    """
    killed = control.stop(state)
    out.print("mesh down" + (f"; {len(killed)} processes had to be killed" if killed else ""))


@shows_errors
def status(state: Folder = FOLDER, address: Address = None, token: Token = None) -> None:
    """Show the processes, the workers, the queue and the running job.

    Example:

        earwitness status
    """
    if not address:
        local = read_state(state)
        table = Table("process", "state", "pid", "restarts", "address", title="this machine", title_justify="left")
        for process in local.processes:
            table.add_row(process.name, process.state, str(process.pid), str(process.restarts), process.address)
        out.print(table)
        if local.failure or not control.is_up(local):
            out.print(f"the mesh is down{': ' + local.failure if local.failure else ''}", markup=False)
            raise typer.Exit(1)
    with connect(address, token, state) as mesh:
        seen = mesh.mesh()
    workers = Table("worker", "role", "state", "version", "tasks", "tokens/s", "seen", title="workers",
                    title_justify="left")  # fmt: skip
    for w in seen.workers:
        workers.add_row(w.name, w.role, w.state, str(w.version), str(w.tasks), f"{w.tokens_per_second:.0f}",
                        f"{w.seen_seconds_ago:.0f} s ago")  # fmt: skip
    out.print(workers)
    streams = Table("stream", "waiting", "in hand", title="queue", title_justify="left")
    for s in seen.streams:
        streams.add_row(s.stream, str(s.waiting), str(s.pending))
    out.print(streams)
    if seen.HasField("active"):
        job = seen.active
        stage = f"stage {job.stage_index + 1} of {job.stages} {job.stage_type} {job.phase}"
        steps = f"step {job.step} of {job.steps}, weight version {seen.version}"
        out.print(f"job {job.job_id} ({job.name}): {stage}, {steps}", markup=False)
    else:
        out.print("no job is running")


@shows_errors
def scale(
    role: Annotated[str, typer.Argument(help="rollout or reward")],
    count: Annotated[int, typer.Argument(min=0, help="Workers wanted.")],
    state: Folder = FOLDER,
) -> None:
    """Change the number of workers of the mesh on this machine, while it works.

    Example:

        earwitness scale rollout 3
    """
    if role not in SCALABLE:
        raise InputError("role", f"{role!r} cannot be scaled", " or ".join(SCALABLE))
    control.scale(state, role, count)
    out.print(f"{count} {role} workers are healthy")


@shows_errors
def logs(
    service: Annotated[str, typer.Argument(help="A process of `earwitness status`, for example rollout-0.")],
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="Lines from the end.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come, until Ctrl-C.")] = False,
    state: Folder = FOLDER,
) -> None:
    """Show the log of one process of the mesh on this machine.

    Example:

        earwitness logs trainer -f
    """
    log = _log_of(service, state)
    with log.open(encoding="utf-8", errors="replace") as file:
        for line in collections.deque(file, maxlen=lines):
            print(line, end="")
        while follow:
            text = file.read()
            print(text, end="", flush=True)
            time.sleep(0.3)


def _log_of(service: str, folder: Path) -> Path:
    """Logs stay after the mesh is down, so they are found by file."""
    found = {p.stem: p for p in (folder / "logs").glob("*.log")}
    found |= {name: path for name in ("queue", "weights") if (path := folder / name / f"{name}-redis.log").exists()}
    if (supervisor := folder / control.SUPERVISOR_LOG).exists():
        found["supervisor"] = supervisor
    if service not in found:
        known = ", ".join(sorted(found)) or f"a mesh in {folder}; there is none"
        raise InputError("service", f"there is no log of {service!r}", known)
    return found[service]
