"""Commands for the mesh of this machine: up, down."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from earwitness.cli.terminal import err, out, shows_errors
from earwitness.cli.where import FOLDER, Folder
from earwitness.local import control
from earwitness.local.limits import WORKERS
from earwitness.local.plan import Options


@shows_errors
def up(
    rollout: Annotated[int, typer.Option(min=0, max=WORKERS, help="Rollout workers (vLLM).")] = 1,
    reward: Annotated[int, typer.Option(min=0, max=WORKERS, help="Reward workers.")] = 1,
    recogniser: Annotated[
        int, typer.Option(min=0, max=WORKERS, help="Recognisers: they run the models of EW_TAGGER, EW_TRANSCRIBER.")
    ] = 0,
    trainer_ranks: Annotated[int, typer.Option(min=1, max=WORKERS, help="Trainer processes (Megatron-core).")] = 1,
    rollout_gpus: Annotated[
        int,
        typer.Option(
            min=1, max=64, envvar="EW_ROLLOUT_TENSOR_PARALLEL", help="GPUs of a rollout worker, which share each layer."
        ),
    ] = 1,
    redis: Annotated[
        str | None,
        typer.Option(envvar="EW_REDIS", help="URL of an own queue Redis; default: an embedded one."),
    ] = None,
    weights_redis: Annotated[
        str, typer.Option(envvar="EW_WEIGHTS_REDIS", help="URLs of own weight shards, with commas between.")
    ] = "",
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

        EW_REDIS=redis://:password@host:6379/0 earwitness up
    """
    from earwitness.cli.doctor import show
    from earwitness.doctor import quick_checks
    from earwitness.redis_address import parse

    if show(quick_checks(state), err, only_wrong=True):
        raise typer.Exit(1)
    shards = tuple(u.strip() for u in weights_redis.split(",") if u.strip())
    for name, urls in (("--redis", [redis] if redis else []), ("--weights-redis", shards)):
        for url in urls:
            parse(url, name)
    options = Options(
        state, rollout, reward, trainer_ranks, rollout_gpus, redis or None, shards, port, fresh, recogniser
    )
    if detach:
        started = time.monotonic()
        mesh = control.start_detached(options, lambda line: err.print(line))
        out.print(f"mesh up at {mesh.address} after {time.monotonic() - started:.0f} s; logs in {state / 'logs'}")
    else:
        from earwitness.local.supervisor import Supervisor  # Redis, which `down` need not wait for

        control.make_room(state)
        Supervisor(options, lambda line: out.print(line)).run()


@shows_errors
def down(state: Folder = FOLDER) -> None:
    """Stop the mesh on this machine, and leave no process behind.

    Example:

        earwitness down
    """
    killed = control.stop(state)
    out.print("mesh down" + (f"; {len(killed)} processes had to be killed" if killed else ""))
