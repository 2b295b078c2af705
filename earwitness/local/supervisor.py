"""Starts the mesh of one machine, keeps it running, stops it.

One loop, a few times a second: start what is due, probe what is starting, take notice of what ended, follow what
`earwitness scale` asked for, run the reference while a job needs it, write the state file.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import redis

from earwitness.active import read_active
from earwitness.errors import EarwitnessError, InfrastructureError
from earwitness.local import plan
from earwitness.local.gpus import gpus_here
from earwitness.local.limits import START_SECONDS, STOP_SECONDS
from earwitness.local.placement import Placement
from earwitness.local.plan import SCALABLE, Options, ProcessPlan, Shared
from earwitness.local.ports import HOST, free_ports, require_free
from earwitness.local.probe import grpc_answers
from earwitness.local.process import Process, stop_together
from earwitness.local.sockets import remove_sockets, sockets_folder
from earwitness.local.state import (
    MeshFailed,
    MeshState,
    Scale,
    keep_old,
    own_folder,
    read_scale,
    remove_state,
    write_scale,
    write_state,
)
from earwitness.local.stores import Stores
from earwitness.local.sweep import born, end_all

LOOP_SECONDS = 0.25
"""Between two rounds of the loop."""

ACTIVE_SECONDS = 1.0
"""Between two looks at what the active job needs."""


class Supervisor:
    """One mesh."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        """`say` gets lines for people. Nothing is started yet."""
        self._options = options
        self._tell = say
        self._stores = Stores(options.folder, options.redis, options.weights_redis, self._say)
        port = require_free(options.port) if options.port else free_ports(1)[0]
        self._jobs = f"{HOST}:{port}"
        self._shared = Shared(
            mesh=secrets.token_hex(8),
            token=secrets.token_urlsafe(24),
            queue_url=self._stores.queue_url,
            weights_urls=self._stores.weights_urls,
            trainer=_address(),
            recogniser=_address() if options.recogniser else "",
        )
        self._placement = Placement(gpus_here(), options.trainer_ranks, options.rollout_gpus, options.rollout)
        self._processes: dict[str, Process] = {}
        self._leaving: list[tuple[Process, float]] = []
        self._stopping = False
        self._ready = False
        self._next_active = 0.0
        self._written: MeshState | None = None
        self._said = ""

    def run(self) -> None:
        """Run until SIGTERM, SIGINT or SIGHUP. Raises MeshFailed if the mesh cannot run; nothing is left running."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        self._prepare_folder()
        guard = subprocess.Popen(
            [sys.executable, "-m", "earwitness.local.guard", self._shared.mesh],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        failure = ""
        try:
            self._write()
            self._stores.start()
            self._start()
            self._loop()
        except EarwitnessError as error:
            failure = str(error)
            raise MeshFailed(failure) from error
        finally:
            self._stop_all()
            assert guard.stdin is not None
            guard.stdin.close()
            guard.wait()
            if failure:
                self._write(failure)
            else:
                remove_state(self._options.folder)

    def _prepare_folder(self) -> None:
        folder = self._options.folder
        own_folder(folder)
        if self._options.fresh:
            shutil.rmtree(folder / "queue", ignore_errors=True)
        keep_old(folder / "logs")
        (folder / "logs").mkdir(mode=0o700)
        remove_state(folder)
        sockets_folder(self._shared.mesh).mkdir(mode=0o700)
        wanted = self._options
        write_scale(folder, Scale(wanted.rollout, wanted.reward, wanted.recogniser or None))

    def _start(self) -> None:
        self._add(plan.jobs(self._jobs))
        self._add(plan.trainer(self._shared.trainer, self._placement))
        self._scale()

    def _loop(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._stopping:
            self._stores.look()
            for process in self._processes.values():
                line = process.look()
                if line:
                    self._say(line)
            self._check_failures()
            self._scale()
            self._follow_active()
            self._reap()
            waiting = [p.name for p in self._processes.values() if not p.healthy]
            if not self._ready and not waiting:
                self._ready = True
                self._say(f"ready at {self._jobs}")
            if not self._ready and time.monotonic() > deadline:
                where = f"no healthy answer; see {self._options.folder / 'logs'}"
                raise InfrastructureError(", ".join(waiting), START_SECONDS, where)
            self._write()
            time.sleep(LOOP_SECONDS)

    def _check_failures(self) -> None:
        """A place given up ends the mesh, unless the mesh was ready and can do without it: another worker of its role
        still runs, or it is a recogniser."""
        for process in self._processes.values():
            others = [p for p in self._processes.values() if p.role == process.role and not p.failure]
            if process.failure and not (self._ready and (others or process.role == "recogniser")):
                raise MeshFailed(process.failure)

    def _scale(self) -> None:
        """Bring the scalable roles to the numbers asked for."""
        wanted = read_scale(self._options.folder)
        for role in SCALABLE:
            count = getattr(wanted, role)
            if count is None:
                continue
            if role == "rollout" and (room := self._placement.room) is not None and count > room:
                self._say(f"GPU memory is shared out among {room} rollout workers: no more than these are started")
                write_scale(self._options.folder, replace(wanted, rollout=room))
                count = room
            have = [p for p in self._processes.values() if p.role == role]
            still_leaving = {p.name for p, _ in self._leaving}
            for index in range(len(have), count):
                place = self._worker(role, index)
                if place.name not in still_leaving:  # its name is how its processes are found, so it must be gone
                    self._add(place)
            for process in have[count:]:
                self._let_go(process)

    def _worker(self, role: str, index: int) -> ProcessPlan:
        if role == "rollout":
            return plan.rollout(index, _address(), self._placement)
        if role == "recogniser":
            return plan.recogniser(index, _address(), self._shared.recogniser)
        return plan.reward(index, _address())

    def _follow_active(self) -> None:
        """The reference runs only while the active job needs it."""
        if time.monotonic() < self._next_active:
            return
        self._next_active = time.monotonic() + ACTIVE_SECONDS
        try:
            job = read_active(self._stores.client)
        except (redis.ConnectionError, redis.TimeoutError):  # the next round starts Redis again
            return
        needed = job is not None and job.needs_reference
        running = [p for p in self._processes.values() if p.role == "reference"]
        if needed and not running:
            self._add(plan.reference(_address(), self._placement))
        elif not needed:
            for process in running:
                self._let_go(process)

    def _add(self, place: ProcessPlan) -> None:
        log = self._options.folder / "logs" / f"{place.name}.log"
        process = Process(place, plan.environment(place, self._shared), log, lambda: grpc_answers(place.address))
        self._processes[place.name] = process
        process.start()
        self._say(f"{place.name}: starting")

    def _let_go(self, process: Process) -> None:
        self._say(f"{process.name}: leaving")
        del self._processes[process.name]
        process.ask_to_stop()
        self._leaving.append((process, time.monotonic() + STOP_SECONDS))

    def _reap(self) -> None:
        """Kill what was let go and is still there after its time."""
        for process, leave_by in list(self._leaving):
            if not process.running or time.monotonic() > leave_by:
                process.kill()
                self._leaving.remove((process, leave_by))

    def _stop_all(self) -> None:
        """Services first, then the stores they write to."""
        for line in stop_together([*self._processes.values(), *(p for p, _ in self._leaving)], STOP_SECONDS):
            self._say(line)
        self._processes.clear()
        end_all(self._shared.mesh, 0)
        remove_sockets(self._shared.mesh)
        self._stores.stop()

    def _stop(self, number: int, frame: object) -> None:
        self._stopping = True

    def _write(self, failure: str = "") -> None:
        state = MeshState(
            mesh=self._shared.mesh,
            pid=os.getpid(),
            born=born(os.getpid()),
            address=self._jobs,
            token=self._shared.token,
            queue_url=self._shared.queue_url,
            weights_urls=self._shared.weights_urls,
            ready=self._ready,
            failure=failure,
            processes=(*self._stores.states(), *(p.state() for p in self._processes.values())),
        )
        if state == self._written:
            return
        try:
            write_state(self._options.folder, state)
        except OSError as error:  # a full disk: what runs goes on running, and the next round tries again
            self._say_once(f"the state cannot be written ({error.strerror}); free some of {self._options.folder}")
        else:
            self._written, self._said = state, ""

    def _say(self, line: str) -> None:
        """A line for people; where it is written to may be full, which must not end the mesh."""
        with suppress(OSError):
            self._tell(line)

    def _say_once(self, line: str) -> None:
        if line != self._said:
            self._said = line
            self._say(line)


def _address() -> str:
    return f"{HOST}:{free_ports(1)[0]}"
