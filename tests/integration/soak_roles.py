"""The roles of a small mesh, forked from a process that has done the imports, so that a thousand can be killed.

What decides is real: the queue, the trainer's loop (`Driver`), what it takes (`ReadyGroups`) and its checkpoints. Only
the policy is a stand-in: it counts how often it has learned from each ordinal. That count is in its checkpoints, so in
the end it is the policy itself that tells what was lost and what took effect twice.

Reads {"role", "name", "told": {...}} from its input, a line each, and writes {"started": pid} and, once a role has
ended, {"ended": pid, "status": exit status, negative for a signal}.
"""

from __future__ import annotations

import itertools
import json
import os
import select
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

import trainer.driver
from earwitness.admission import admit
from earwitness.errors import EarwitnessError, InfrastructureError
from earwitness.log import Logger
from earwitness.queue import Queue
from earwitness.redis_client import connect
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire
from tests.integration import queue_worker
from trainer.board import Board
from trainer.checkpoint import Checkpoints, Progress
from trainer.checkpoint.pieces import Piece
from trainer.driver import Driver
from trainer.ranks import parallel
from trainer.rl.ready import ReadyGroups
from trainer.rl.workers import Workers
from trainer.steps import Step

GROUPS = 4
"""Of a step."""
MAX_STALENESS = 1
MAX_RUNNING = 12
MAX_ORDINALS = 4096
"""That the policy can count."""
EVERY = 2
"""Steps between two checkpoints."""
STILL_SECONDS = 4.0
"""So long nothing may happen before what is lost is counted."""
ATTEMPTS = 30
"""Publications that are tried, as the weight plane's are."""
RUN_OUT = 5
"""Exit status of a role whose surroundings failed it."""


def run_id_of(job: str, lineage: int) -> str:
    return f"{job}/0-train/{lineage}"


class Policy:
    """Counts how often it has learned from each ordinal; what a checkpoint holds of it."""

    def __init__(self) -> None:
        self.learned = torch.zeros(MAX_ORDINALS)
        self.policy = SimpleNamespace(model=SimpleNamespace(module=None))

    def pieces(self) -> list[Piece]:
        return [Piece("policy/learned", self.learned.clone())]


class Publication:
    """Says which version there is, of each lineage by itself, as the weight plane does."""

    def __init__(self, client: Any, lineage: str) -> None:
        self.figures: dict[str, float] = {}
        self._client, self._key = client, f"soak:version:{lineage}"

    def publish(self, version: int, _: object, traceparents: object) -> None:
        for attempt in itertools.count():
            try:
                self._client.set(self._key, version)
                return
            except InfrastructureError:
                if attempt == ATTEMPTS:
                    raise
                time.sleep(0.5)

    def finish(self) -> None:
        return None


def train(name: str, url: str, folder: str, job: str, steps: int, idle_ms: int) -> None:
    """A phase of the trainer, from its newest checkpoint to its end."""
    parallel.initialize(1, 1)
    trainer.driver.save_pretrained = lambda *_: None  # there is no model to export
    log = Logger(name)
    checkpoints = Checkpoints(folder, 2, log)
    policy, progress, newest = Policy(), Progress(), checkpoints.newest()
    if newest is not None:
        progress = newest.progress
        with newest.pieces() as pieces:
            policy.learned = pieces.own("policy/learned", 0)
    if progress.final:
        return
    progress = replace(progress, lineage=checkpoints.next_lineage())
    lineage, client = f"{job}/{progress.lineage}", connect(url)
    driver = Driver(progress, checkpoints, Board(1), Path(folder))
    ready = ReadyGroups(
        Queue(client, idle_ms), run_id_of(job, progress.lineage), lineage, name, GROUPS, progress, driver.poll, log,
        max_staleness=MAX_STALENESS, vocab_size=100, max_positions=16, think_end=[99],
    )  # fmt: skip

    def learn() -> Iterator[Step | None]:
        version = progress.version
        for step in range(progress.step + 1, steps + 1):
            while (taken := ready.take(version)) is None:
                yield None
            ordinals = [group[0].ordinal for group in taken[0]]
            policy.learned[ordinals] += 1
            version += 1
            yield Step(step, {}, set(ordinals))

    training = SimpleNamespace(steps=steps, checkpoint_every=EVERY)
    driver.run(learn(), training, policy, Workers(Publication(client, lineage), ready, None))
    checkpoints.finish()


def issue(url: str, idle_ms: int) -> None:
    """Keeps the run that is current fed, by the admission rule; finds what the queue has lost."""
    client = connect(url)
    queue = Queue(client, idle_ms)
    fed, following, seen, since = "", 0, None, time.monotonic()
    while True:
        time.sleep(0.05)
        run_id = queue.current_run()
        job, _, number = run_id.partition("/0-train/")
        version = client.get(f"soak:version:{job}/{number}")
        if not run_id or version is None:
            continue
        counts = queue.counts(run_id)
        if run_id != fed or counts.total < following:  # another run, or one that has lost its last second
            fed, following = run_id, 0
        wanted = admit(MAX_RUNNING, counts.running, MAX_STALENESS, int(version), GROUPS, counts.accepted)
        for _ in range(counts.total + wanted):
            if wanted == 0:
                break
            task = wire.GroupTask(run_id=run_id, ordinal=following, min_version=int(version), lineage=f"{job}/{number}")
            wanted -= queue.issue(task)
            following += 1
        if (run_id, counts) != seen:
            seen, since = (run_id, counts), time.monotonic()
        elif time.monotonic() - since > STILL_SECONDS:
            queue.recount(run_id)
            since = time.monotonic()


def group_of(data: bytes) -> wire.Group:
    """What a rollout worker makes of a task, under the weights that the task asks for."""
    task = wire.GroupTask.FromString(data)
    group = wire.Group(task=task, prompt_token_ids=[1])
    trajectory = group.trajectories.add(token_ids=[7, 8], logprobs=[-0.5, -0.5])
    trajectory.versions.add(version=task.min_version, tokens=2, lineage=task.lineage)
    return group


def work(name: str, url: str, station: str, seed: str, idle_ms: int) -> None:
    """A station of the queue, which now and then kills itself at a chosen point."""
    queue_worker.make_group, queue_worker.CLAIM_IDLE_MS = group_of, idle_ms
    queue_worker.main(url, station, name, seed)


ROLES = {"trainer": train, "issuer": lambda name, **told: issue(**told), "station": work}


def fork(role: str, name: str, told: dict[str, Any], log: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        null = os.open(os.devnull, os.O_RDONLY)
        for file, number in ((null, 0), (written, 1), (written, 2)):
            os.dup2(file, number)
        ROLES[role](name=name, **told)
        status = 0
    except (EarwitnessError, OSError) as error:
        status = RUN_OUT
        os.write(2, f"{name} ends: {type(error).__name__}: {error}\n".encode())
    except BaseException:  # noqa: BLE001 (the edge of the process: what should not have happened)
        os.write(2, f"BUG in {name}\n{traceback.format_exc()}\n".encode())
    finally:
        os._exit(status)


def main(log: str) -> None:
    """Serves until its input ends."""
    torch.set_num_threads(1)
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "threads do not survive a fork"
    say({"ready": True})
    left = b""
    while True:
        if select.select([0], [], [], 0.02)[0]:
            if not (read := os.read(0, 65_536)):
                return
            *lines, left = (left + read).split(b"\n")
            for line in lines:
                said = json.loads(line)
                say({"started": fork(said["role"], said["name"], said["told"], log), "name": said["name"]})
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            say({"ended": pid, "status": os.waitstatus_to_exitcode(status)})


def say(said: dict[str, Any]) -> None:
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
