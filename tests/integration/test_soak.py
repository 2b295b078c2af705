"""A small mesh that nobody leaves in peace: jobs one after another, under kills, stops and servers that fail.

    make test-long                                                    an hour, a thousand kills
    EW_SOAK_SECONDS=180 pytest tests/integration/test_soak.py -m long -s      three minutes

EW_SOAK_SEED repeats the choices of another soak (not the moments, which are the machine's). The acts are kept, line by
line, in `soak-acts.jsonl` under EW_SOAK_FOLDER (default: the test's own folder), beside the logs.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from earwitness.queue import Queue
from tests.integration import soak_acts
from tests.integration.process_kit import wait_for
from tests.integration.soak_acts import SECONDS, Acts, Server
from tests.integration.soak_roles import GROUPS, RUN_OUT, run_id_of
from trainer.checkpoint import Progress, verify
from trainer.checkpoint.folder import checkpoints_in
from trainer.checkpoint.pieces import Pieces

KILLS = round(1000 * min(SECONDS, 3600) / 3600)
"""At least so many: a thousand in an hour."""
STEPS = 30
"""Of a job."""
IDLE_MS = 800
"""Silence after which work is given to another."""
STATIONS = ("rollout", "rollout", "reward", "reference")
END_SECONDS = 60.0
"""Longest wait for what must end or settle once nobody disturbs it, on a busy machine."""
HERE = Path(__file__).parent


@dataclass
class Role:
    """One process of the mesh."""

    role: str
    name: str
    pid: int


@dataclass
class Tally:
    """What came of it."""

    jobs: int = 0
    used: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)


class Crew:
    """The processes: one of each lane, started again when they end."""

    def __init__(self, folder: Path, url: str, seed: int) -> None:
        self.log = folder / "roles.log"
        self.log.touch()
        self._url, self._births, self._seed = url, itertools.count(), seed
        self.lanes: dict[str, Role] = {}
        self.ended: dict[int, int] = {}
        """Exit status of each process that has ended."""
        self._started: dict[str, int] = {}
        self._forks = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.integration.soak_roles", str(self.log)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE.parents[1],
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parents[1])},
        )  # fmt: skip
        threading.Thread(target=self._listen, daemon=True).start()
        wait_for("the roles to be imported", lambda: "ready" in self._started)

    def _listen(self) -> None:
        assert self._forks.stdout is not None
        for line in self._forks.stdout:
            said = json.loads(line)
            if "ended" in said:
                self.ended[said["ended"]] = said["status"]
            elif "started" in said:
                self._started[said["name"]] = said["started"]
            else:
                self._started["ready"] = 0

    def start(self, role: str, **told: Any) -> Role:
        name = f"{role}-{next(self._births)}"
        if role == "station":
            told |= {"seed": str(self._seed + next(self._births))}
        told |= {"url": self._url, "idle_ms": IDLE_MS}
        assert self._forks.stdin is not None
        self._forks.stdin.write(json.dumps({"role": role, "name": name, "told": told}) + "\n")
        self._forks.stdin.flush()
        return Role(role, name, wait_for(f"{name} to start", lambda: self._started.get(name, 0), poll_seconds=0.002))

    def keep(self, lane: str, role: str, **told: Any) -> None:
        """Starts what should be there and is not."""
        there = self.lanes.get(lane)
        if there is None or there.pid in self.ended:
            self.lanes[lane] = self.start(role, **told)

    def killed(self) -> int:
        """How many died of SIGKILL so far, by their own hand at a chosen point or by another's."""
        return sum(status == -signal.SIGKILL for status in list(self.ended.values()))

    def end(self) -> None:
        """All of them, and who forks them."""
        for role in self.lanes.values():
            soak_acts.send(role.pid, signal.SIGKILL)
        wait_for("the roles to end", lambda: all(role.pid in self.ended for role in self.lanes.values()), END_SECONDS)
        assert self._forks.stdin is not None
        self._forks.stdin.close()
        self._forks.wait(END_SECONDS)


class Soak:
    """The mesh, its faults, and the book of both."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.tally = folder, Tally()
        self.acts = Acts(folder / "soak-acts.jsonl", seed)
        self.redis = Server(folder / "queue", self.acts)
        self.crew = Crew(folder, self.redis.server.url, seed)
        self.queue = Queue(self.redis.client(), IDLE_MS)
        self.older: list[Role] = []
        """Trainers that another has taken over from."""

    def job(self, number: int) -> None:
        """One job, from its start to its end, and what it left."""
        job, folder = f"job-{number}", self.folder / f"job-{number}"
        told = {"folder": str(folder), "job": job, "steps": STEPS}
        lost_bytes = self.redis.lost_bytes
        while not _final(folder):
            self._keep(told)
            self._act(told)
            self.redis.look()
            self.acts.tick()
            _check_ends(self.crew)
            time.sleep(0.05)
        self._settle(told)
        self._account(job, folder, forgets=self.redis.lost_bytes > lost_bytes)
        self.crew.lanes.pop("trainer")
        self.tally.jobs += 1
        self.acts.note("job done", job=job, kills=self.crew.killed())

    def _keep(self, told: dict[str, Any]) -> None:
        self.crew.keep("trainer", "trainer", **told)
        self.crew.keep("issuer", "issuer")
        for lane, station in enumerate(STATIONS):
            self.crew.keep(f"{station}-{lane}", "station", station=station)

    def _act(self, told: dict[str, Any]) -> None:
        """Perhaps something goes wrong now."""
        chance, long = self.acts.chance, 3 * IDLE_MS / 1000
        lane = chance.choice(list(self.crew.lanes))
        role = self.crew.lanes[lane]
        match chance.choices(
            ("nothing", "kill", "stop", "full disk", "crash", "lose", "refuse", "slow", "two trainers"),
            (500, 60, 4, 2, 1, 2, 1, 1, 3),
        )[0]:
            case "kill":
                self.acts.note("kill", name=role.name, pid=role.pid)
                soak_acts.send(role.pid, signal.SIGKILL)
            case "stop":
                soak_acts.stop(self.acts, role.name, role.pid, long)
            case "full disk":
                soak_acts.no_room(self.acts, "trainer", self.crew.lanes["trainer"].pid)
            case "crash":
                self.redis.crash(lose=False)
            case "lose":
                self.redis.crash(lose=True)
            case "refuse":
                self.redis.refuse()
            case "slow":
                self.redis.pause()
            case "two trainers":
                self._two_trainers(told, chance.choice((0.0, long)))

    def _two_trainers(self, told: dict[str, Any], seconds: float) -> None:
        """Another takes over while the first is cut off, and the first comes back; or it never left."""
        old = self.crew.lanes.pop("trainer")
        self.acts.note("two trainers", older=old.name, cut_off_seconds=seconds)
        if seconds:
            soak_acts.stop(self.acts, old.name, old.pid, seconds)
        self.older.append(old)
        self.crew.keep("trainer", "trainer", **told)

    def _settle(self, told: dict[str, Any]) -> None:
        """Nobody is disturbed any more, until nothing moves: what is left in flight then is what was lost."""
        self.acts.tick(all_now=True)
        wait_for("older trainers to end", lambda: all(r.pid in self.crew.ended for r in self.older), END_SECONDS)
        self.older.clear()
        wait_for("Redis", self._answers, END_SECONDS)
        # As a start of the job would, were there more to do: it tells the queue what the policy has learned from.
        progress = _final(Path(told["folder"]))
        assert progress is not None
        run_id = run_id_of(told["job"], progress.lineage)
        self.queue.open_run(run_id, used=progress.used, dropped=progress.dropped)

        def nothing_moves() -> bool:
            self.crew.keep("issuer", "issuer")
            for lane, station in enumerate(STATIONS):
                self.crew.keep(f"{station}-{lane}", "station", station=station)
            return self.queue.counts(run_id).running == 0

        wait_for(f"{run_id} to settle", nothing_moves, END_SECONDS)

    def _answers(self) -> bool:
        with suppress(redis.RedisError):
            return bool(self.redis.client().config_set("maxmemory", "0"))
        return False

    def _account(self, job: str, folder: Path, *, forgets: bool) -> None:
        """Every ordinal of the surviving lineage: what the policy says, its progress, and the ledger.

        `forgets`: Redis lost a part of its log, and with it, perhaps, what was issued last and was not needed.
        """
        progress = _final(folder)
        assert progress is not None
        with Pieces(checkpoints_in(folder)[-1]) as pieces:
            times = pieces.own("policy/learned", 0).tolist()
        run_id = run_id_of(job, progress.lineage)
        self.queue.close_run(run_id)
        ledger = self.queue.ledger(run_id)
        assert Counter(progress.used.values()) == dict.fromkeys(range(1, STEPS + 1), GROUPS)
        for ordinal in range(max(ledger) + 1):
            state, learned = ledger.get(ordinal, "nowhere"), times[ordinal]
            where = f"{run_id}, ordinal {ordinal}: {state}, learned from {learned} times"
            if learned > 1 or (learned and state.startswith("dropped")):
                self.tally.twice.append(where)
            forgotten = state == "dropped:forgotten" and not forgets
            if learned != (ordinal in progress.used) or forgotten or (not learned and state == "nowhere"):
                self.tally.lost.append(where)
        self.tally.used += int(sum(times))
        assert [lag for lag in self.queue.lag() if lag.waiting or lag.pending] == []


def _final(folder: Path) -> Progress | None:
    """The progress of a job that is done."""
    for path in reversed(checkpoints_in(folder)):
        with suppress(Exception):  # a trainer may be putting another in its place
            progress = verify(path)
            return progress if progress.final else None
    return None


@pytest.mark.long
@pytest.mark.timeout(3 * SECONDS + 600)
def test_nothing_is_lost_or_used_twice(tmp_path: Path) -> None:
    seed = int(os.environ.get("EW_SOAK_SEED", "") or time.time())
    folder = Path(os.environ.get("EW_SOAK_FOLDER", "") or tmp_path)
    soak, started, first_bytes = Soak(folder, seed), time.monotonic(), 0
    try:
        while time.monotonic() - started < SECONDS or soak.crew.killed() < KILLS:
            soak.job(soak.tally.jobs)
            first_bytes = first_bytes or _kept_bytes(soak)
        assert _kept_bytes(soak) < 2 * first_bytes + 2_000_000, "the queue's memory grows with every job"
        _check_clean(soak)
    finally:
        kills = soak.crew.killed()
        print(f"\nseed {seed}: {time.monotonic() - started:.0f} s, {soak.tally.jobs} jobs, {soak.tally.used} groups;")
        print(f"{kills} kills, {len(soak.tally.lost)} lost, {len(soak.tally.twice)} used twice; {soak.acts.counts}")
        soak.crew.end()
        soak.redis.server.stop()
    assert soak.tally.lost == [] and soak.tally.twice == []
    assert kills >= KILLS
    _check_ends(soak.crew)


def _kept_bytes(soak: Soak) -> int:
    """What the queue holds beside ledgers, which are kept for a week: streams and everything of workers."""
    client = soak.redis.client()
    keys = [key for key in client.scan_iter(count=1000) if not re.match(rb"ew:(ledger|counts|newest|dead)", key)]
    return sum(client.memory_usage(key, samples=0) or 0 for key in keys)


def _check_clean(soak: Soak) -> None:
    """What is there between two jobs: the roles, their connections, whole checkpoints, and nothing else."""
    for path in soak.folder.rglob("*"):
        name = path.name
        assert ".part" not in name and not name.endswith(".removed"), f"left behind: {path}"
    for folder in soak.folder.glob("job-*"):
        assert len(checkpoints_in(folder)) <= 2, folder
    roles = {role.pid for role in soak.crew.lanes.values()}
    there = {child.pid for child in psutil.Process(soak.crew._forks.pid).children(recursive=True)}
    assert there <= roles, f"processes that nobody knows: {there - roles}"
    for role in soak.crew.lanes.values():
        with suppress(psutil.NoSuchProcess):  # it kills itself now and then
            process = psutil.Process(role.pid)
            files, sockets = process.num_fds(), process.net_connections("inet")
            assert files < 64 and len(sockets) < 16, f"{role.name} holds {files} files, {sockets}"
            assert not [s for s in sockets if s.status == psutil.CONN_LISTEN], f"{role.name} listens"


def _check_ends(crew: Crew) -> None:
    """Who was not killed ended in order: done, or because its surroundings failed it, which its log says."""
    ends = Counter(crew.ended.values())
    assert set(ends) <= {0, RUN_OUT, -signal.SIGKILL}, f"{ends}\n{crew.log.read_text(errors='replace')[-4000:]}"
