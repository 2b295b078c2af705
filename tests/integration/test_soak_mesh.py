"""A whole real mesh that nobody leaves in peace: vLLM, Megatron, the supervisor, jobs one after another.

As `test_soak.py`, whose variables it takes; there the queue's promise is tried by the thousand, here everything that
`earwitness up` starts. Each act waits for the mesh to be healthy and the job to have got on: what is tried is that a
mesh lives through each, not how many it takes at once.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import redis

from earwitness.client import TERMINAL, ServerError, ServerUnreachable
from earwitness.local.sockets import sockets_folder
from earwitness.local.state import read_state
from earwitness.local.sweep import tagged
from earwitness.wire.jobs.v1 import jobs_pb2
from tests.integration import soak_acts
from tests.integration.mesh_kit import TOY, RealMesh
from tests.integration.process_kit import PATIENCE, wait_for
from tests.integration.soak_acts import SECONDS, Acts

STEPS = 6
GROUPS = 4
CLAIM_SECONDS = 10.0
"""Silence after which work is given to another, as `up` has it."""
STEADY = ("jobs", "reward-0")
"""Services whose memory and files must not grow: what they hold does not depend on the model."""


class Soak:
    """The mesh and its faults."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.mesh = RealMesh(folder)
        self.acts = Acts(folder / "soak-acts.jsonl", seed)
        self._folder = folder / "mesh"
        self.kills = 0

    def job(self, number: int, model: dict) -> jobs_pb2.Job:
        """One job, disturbed until it ends. The job as it is then."""
        job = self.mesh.submit(f"soak-{number}", model, STEPS)
        disturbed: tuple[str, int] | None = None
        while True:
            seen = self._seen(job.job_id)
            if seen is not None and seen.state in TERMINAL:
                break
            self.acts.tick()
            # The first job makes the model and starts the engine: no act can tell those apart from a fault.
            if number and seen is not None and self._healthy() and (seen.phase, seen.step) != disturbed:
                disturbed = (seen.phase, seen.step)
                self._act()
            time.sleep(0.25)
        self.acts.tick(all_now=True)
        assert seen.state == jobs_pb2.JOB_STATE_SUCCEEDED, f"{seen}\n{self.mesh.logs()}"
        return seen

    def healthy(self) -> None:
        """Waits until every process is."""
        wait_for("the mesh to be healthy", self._healthy, PATIENCE)

    def _seen(self, job_id: str) -> jobs_pb2.Job | None:
        with suppress(ServerUnreachable, ServerError):
            return self.mesh.client.get(job_id)
        return None

    def _healthy(self) -> bool:
        return all(process.state == "healthy" for process in read_state(self._folder).processes)

    def _act(self) -> None:
        chance = self.acts.chance
        worker = chance.choice(("rollout-0", "reward-0", "trainer"))
        acts: dict[str, tuple[float, Callable[[], None]]] = {
            "nothing": (4, lambda: None),
            "kill": (6, lambda: self._kill(chance.choice((worker, worker, "jobs", "queue", "weights")))),
            "stop": (2, lambda: soak_acts.stop(self.acts, worker, self.mesh.pid(worker), 1.5 * CLAIM_SECONDS)),
            "full disk": (2, self._no_room),
            "refuse": (1, self._refuse),
            "slow": (1, self._slow),
        }
        [(_, act)] = chance.choices(list(acts.values()), [weight for weight, _ in acts.values()])
        act()

    def _kill(self, name: str) -> None:
        pid = self.mesh.pid(name)
        self.acts.note("kill", name=name, pid=pid)
        os.kill(pid, signal.SIGKILL)
        self.kills += 1

    def _no_room(self) -> None:
        name = self.acts.chance.choice(("jobs", "trainer", "supervisor"))
        soak_acts.no_room(self.acts, name, self.mesh.state.pid if name == "supervisor" else self.mesh.pid(name))

    def _refuse(self) -> None:
        self.acts.note("redis refuses")
        with suppress(redis.RedisError):
            self._queue().config_set("maxmemory", "1kb")
        self.acts.later(self.acts.hold(), self._make_room)

    def _make_room(self) -> None:
        with suppress(redis.RedisError):
            self._queue().config_set("maxmemory", "0")

    def _slow(self) -> None:
        milliseconds = int(1000 * self.acts.hold())
        self.acts.note("redis slow", ms=milliseconds)
        with suppress(redis.RedisError):
            self._queue().client_pause(milliseconds)

    def _queue(self) -> redis.Redis:
        return redis.Redis.from_url(self.mesh.state.queue_url, socket_timeout=10)


@pytest.mark.long
@pytest.mark.timeout(3 * SECONDS + 1200)
def test_a_real_mesh_lives_through_it(tmp_path: Path) -> None:
    seed = int(os.environ.get("EW_SOAK_SEED", "") or time.time())
    folder = Path(os.environ.get("EW_SOAK_FOLDER", "") or tmp_path)
    soak, jobs, started = Soak(folder, seed), 0, time.monotonic()
    mesh = soak.mesh
    try:
        first = soak.job(0, {"toy": TOY})
        check_job(mesh, first)
        before, jobs = held(mesh), 1
        while time.monotonic() - started < SECONDS or jobs < 2:
            check_job(mesh, soak.job(jobs, {"path": f"{first.output_uri}/model"}))
            jobs += 1
        soak.healthy()
        for name, (megabytes, files) in held(mesh).items():
            assert megabytes < 1.3 * before[name][0] + 50, f"{name}: {before[name][0]:.0f}, then {megabytes:.0f} MB"
            assert files < before[name][1] + 20, f"{name}: {before[name][1]}, then {files} open files"
        assert all(lag.waiting + lag.pending == 0 for lag in mesh.queue.lag())
        left = [path for path in (folder / "out").rglob("*") if path.name.endswith((".part", ".partial", ".removed"))]
        assert left == []
        addresses = [process.address for process in read_state(folder / "mesh").processes]
    finally:
        print(f"\nseed {seed}: {time.monotonic() - started:.0f} s, {jobs} jobs, {soak.kills} kills; {soak.acts.counts}")
        stubborn = mesh.stop()
    assert stubborn == [] and tagged(mesh.state.mesh) == []
    assert not sockets_folder(mesh.state.mesh).exists()
    assert [address for address in addresses if answers(address)] == []


def check_job(mesh: RealMesh, job: jobs_pb2.Job) -> None:
    """In the lineage that survived every ordinal was used once or dropped with a reason, and each step had its fill."""
    ledger = mesh.queue.ledger(f"{job.job_id}/1-train/{job.lineage}")
    used = [state for state in ledger.values() if state.startswith("used:")]
    assert all(state.startswith("dropped:") and state != "dropped:" for state in ledger.values() if state not in used)
    assert sorted(used) == sorted(f"used:{step}" for step in range(1, STEPS + 1) for _ in range(GROUPS)), ledger
    assert sorted(ledger) == list(range(len(ledger))), "an ordinal is nowhere"


def held(mesh: RealMesh) -> dict[str, tuple[float, int]]:
    """Memory in MB and open files of the supervisor and the steady services."""
    found = {}
    for name, pid in {"supervisor": mesh.state.pid, **{name: mesh.pid(name) for name in STEADY}}.items():
        process = psutil.Process(pid)
        found[name] = process.memory_info().rss / 1e6, process.num_fds()
    return found


def answers(address: str) -> bool:
    """Whether somebody still listens there."""
    host, _, port = address.rpartition(":")
    with suppress(OSError), socket.create_connection((host, int(port)), 1):
        return True
    return False
