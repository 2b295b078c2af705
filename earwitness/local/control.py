"""What a person does to a local mesh from outside: start it in the background, stop it, scale it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from earwitness.errors import EarwitnessError, InfrastructureError, InputError
from earwitness.local.limits import START_SECONDS, STOP_SECONDS
from earwitness.local.plan import Options
from earwitness.local.process import tail
from earwitness.local.sockets import remove_sockets
from earwitness.local.state import (
    SUPERVISOR_LOG,
    MeshFailed,
    MeshState,
    NoMesh,
    keep_old,
    open_log,
    own_folder,
    read_scale,
    read_state,
    remove_state,
    write_scale,
)
from earwitness.local.sweep import alive, end_all

POLL_SECONDS = 0.2
"""Between two looks at the state file."""

ORPHAN_SECONDS = 5.0
"""What processes of a mesh without a supervisor get to end."""

MARGIN_SECONDS = 20.0
"""Beyond the supervisor's own limits, for itself, its stores and the guard."""


class AlreadyUp(EarwitnessError):
    """A mesh runs in this folder."""


def make_room(folder: Path) -> None:
    """End what a mesh that was killed left of itself in `folder`. Raises AlreadyUp if one runs."""
    try:
        state = read_state(folder)
    except NoMesh:
        return
    if is_up(state):
        raise AlreadyUp(f"a mesh is up already in {folder} (pid {state.pid}); stop it with `earwitness down`")
    end_all(state.mesh, ORPHAN_SECONDS)
    remove_sockets(state.mesh)


def is_up(state: MeshState) -> bool:
    """True if the supervisor of this state runs."""
    return alive(state.pid, state.born)


def start_detached(options: Options, say: Callable[[str], None]) -> MeshState:
    """Start a supervisor in the background; returns once every process is healthy.

    Raises AlreadyUp, MeshFailed with the reason.
    """
    make_room(options.folder)
    remove_state(options.folder)
    own_folder(options.folder)
    log = options.folder / SUPERVISOR_LOG
    keep_old(log)
    with open_log(log) as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "earwitness", "up", *_arguments(options)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=_environment(options),
        )
    deadline = time.monotonic() + START_SECONDS + MARGIN_SECONDS
    with log.open(encoding="utf-8", errors="replace") as lines:
        while time.monotonic() < deadline:
            ended = supervisor.poll() is not None
            for line in lines.read().splitlines():
                say(line)
            state = None
            with suppress(NoMesh):
                state = read_state(options.folder)
            if state is not None and state.failure:
                supervisor.wait(MARGIN_SECONDS)
                raise MeshFailed(state.failure)
            if ended:
                raise MeshFailed(f"the supervisor ended; its log {log} ends:\n{tail(log)}")
            if state is not None and state.ready:
                return state
            time.sleep(POLL_SECONDS)
    supervisor.terminate()
    raise InfrastructureError("the supervisor", START_SECONDS + MARGIN_SECONDS, f"not ready; see {log}")


def stop(folder: Path) -> list[int]:
    """Stop the mesh in `folder`; returns the ids of processes that had to be killed. Raises NoMesh."""
    state = read_state(folder)
    if is_up(state):
        os.kill(state.pid, signal.SIGTERM)
        deadline = time.monotonic() + 2 * STOP_SECONDS + MARGIN_SECONDS  # services, then stores
        while is_up(state) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        if is_up(state):
            os.kill(state.pid, signal.SIGKILL)
    killed = end_all(state.mesh, 0)
    remove_sockets(state.mesh)
    remove_state(folder)
    return killed


def scale(folder: Path, role: str, count: int) -> None:
    """Ask for `count` workers of `role`, and wait for them. Raises NoMesh, InputError, InfrastructureError."""
    state = read_state(folder)
    if not is_up(state):
        raise NoMesh(folder)
    wanted = read_scale(folder)
    if getattr(wanted, role) is None:
        raise InputError("role", f"the mesh was started without a {role}", f"`earwitness up --{role} {max(1, count)}`")
    write_scale(folder, replace(wanted, **{role: count}))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        granted = getattr(read_scale(folder), role)
        if granted is not None and granted < count:
            expected = (
                f"at most {granted}, among which the GPUs' memory is shared out; `earwitness up --rollout {count}`"
            )
            raise InputError(role, f"{count} workers", expected)
        states = [p.state for p in read_state(folder).processes if p.role == role]
        if len(states) == count and all(s == "healthy" for s in states):
            return
        time.sleep(POLL_SECONDS)
    raise InfrastructureError(f"{count} {role} workers", START_SECONDS, f"there are {states}; see {folder / 'logs'}")


def _arguments(options: Options) -> list[str]:
    """The options as `earwitness up` takes them."""
    arguments = ["--state", str(options.folder), "--rollout", str(options.rollout), "--reward", str(options.reward)]
    arguments += ["--trainer-ranks", str(options.trainer_ranks), "--port", str(options.port)]
    arguments += ["--rollout-gpus", str(options.rollout_gpus)]
    arguments += ["--recogniser", str(options.recogniser)]
    if options.fresh:
        arguments.append("--fresh")
    return arguments


def _environment(options: Options) -> dict[str, str]:
    """URLs go this way: a password in them must not stand among the arguments, which everybody may read."""
    urls = {"EW_REDIS": options.redis or "", "EW_WEIGHTS_REDIS": ",".join(options.weights_redis)}
    return {**os.environ, "PYTHONUNBUFFERED": "1", **urls}
