"""Rollout workers come and go in the middle of a job on a real mesh: 1 -> 4 -> 2 -> 3, by SIGTERM and by SIGKILL.

While workers join, those at work stand still, so the trainer soon waits for groups: the job cannot be over before the
new ones are there, however fast or slow the machine, and they get the cores.
"""

from __future__ import annotations

import codecs
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from earwitness.local.state import NoMesh
from earwitness.queue import READY, ROLLOUTS, TASKS, Queue
from earwitness.queue.commands import CONSUMERS
from earwitness.redis_client import connect
from earwitness.wire.jobs.v1 import jobs_pb2
from earwitness.wire.trajectory.v1 import trajectory_pb2
from tests.integration.mesh_kit import TOY, RealMesh, published_versions, recipe, wait_for
from tests.integration.process_kit import below, said_in
from tests.integration.rollout_frozen import FROZEN_SECONDS, WORK_SECONDS, frozen_at_work
from tests.integration.trace_collector import Collector, collector

ROOT = Path(__file__).parents[2]
STEPS = 36
GROUPS = 4
STALENESS = 1
AHEAD = 6
"""Steps, and staleness bound, of a job in which no group can become too old."""
ALONE_SECONDS = 0.5
"""Of vLLM's work on all of that job: the prompts of 16 groups, with their clips, come before their first tokens."""
MAX_TOKENS = 150
BEHIND_SECONDS = "3600"
"""A worker that stands still while others join must not be taken for one that cannot keep up."""


class Workers:
    """Rollout workers beside the mesh's own, and what their logs say."""

    def __init__(self, mesh: RealMesh) -> None:
        self._mesh = mesh
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        state = self._mesh.state
        environment = {
            **os.environ, "EW_QUEUE_URL": state.queue_url, "EW_WEIGHTS_URLS": ",".join(state.weights_urls),
            "EW_NAME": name, "EW_ROLLOUT_GRACE_SECONDS": "0", "EW_LOG_LEVEL": "debug",
        }  # fmt: skip
        with self._log(name).open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "services.rollout"], cwd=ROOT, env=environment, stdout=log, stderr=log
            )

    def events(self, name: str, event: str) -> list[dict[str, Any]]:
        return [line for line in said_in(self._log(name).read_text()) if line["event"] == event]

    def all_logged(self, event: str, *names: str) -> bool:
        """True once each has logged the event."""
        for name in names:
            assert self.processes[name].poll() is None, self._log(name).read_text()[-3000:]
        return all(self.events(name, event) for name in names)

    def join(self, names: list[str], standing: list[int]) -> None:
        """Returns once each has handed a group on; until they have loaded weights, those `standing` stand still."""
        with stopped(standing):
            for name in names:
                self.start(name)
            wait_for(f"{names} to load weights", lambda: self.all_logged("weights loaded", *names))
        wait_for(f"{names} to hand a group on", lambda: self.all_logged("group rolled", *names))

    @contextmanager
    def frozen_at_work(self, name: str, seconds: float = WORK_SECONDS) -> Iterator[subprocess.Popen[bytes]]:
        """The worker while its vLLM stands still in the middle of a group that it holds, after `seconds` of work."""
        process = self.processes[name]
        with frozen_at_work(process.pid, lambda: self._claims(name), seconds):
            yield process

    def leave(self, name: str, seconds: float = WORK_SECONDS) -> int:
        """The worker leaves in the middle of a group; how many tokens it has handed back."""
        with self.frozen_at_work(name, seconds) as leaver:
            leaver.send_signal(signal.SIGTERM)
            time.sleep(FROZEN_SECONDS)  # it asks vLLM for what it has, and waits
        assert leaver.wait() == 0
        return sum(self.handed_back(name).values())

    def handed_back(self, name: str) -> dict[int, int]:
        """Tokens by ordinal."""
        return {e["ordinal"]: e["tokens"] for e in self.events(name, "group handed back") if e["kept"]}

    def _claims(self, name: str) -> bool:
        """True if the queue has given it tasks that it has not brought back."""
        return bool(self._mesh.redis.xpending_range(TASKS, CONSUMERS, "-", "+", 1, consumername=name))

    def end(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()

    def _log(self, name: str) -> Path:
        return self._mesh.folder / "mesh" / "logs" / f"{name}.log"


class Watch:
    """Every group on its way to the trainer, and what leavers handed back: Redis tells what its scripts do (MONITOR),
    and waits with it for a reader that is slow."""

    END = b"watched"

    def __init__(self, mesh: RealMesh, run_id: str) -> None:
        self.groups: dict[int, trajectory_pb2.Group] = {}
        self.begun: dict[int, list[trajectory_pb2.Trajectory]] = {}
        self._client = connect(mesh.state.queue_url)
        self._run_id = run_id
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Watch:
        self._told = self._client.monitor().__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.echo(self.END)
        self._thread.join()
        self._told.connection.disconnect()

    def _listen(self) -> None:
        while (words := words_in(self._told.connection.read_response())) != [b"ECHO", self.END]:
            match words:
                case [b"XADD", stream, *_, data] if stream.decode() in (ROLLOUTS, READY):
                    group = trajectory_pb2.Group.FromString(data)
                    if group.task.run_id == self._run_id:
                        self.groups[group.task.ordinal] = group
                case [b"HSET", key, ordinal, data] if key.decode() == f"ew:begun:{self._run_id}":
                    self.begun[int(ordinal)] = list(trajectory_pb2.GroupTask.FromString(data).begun)


def words_in(line: bytes) -> list[bytes]:
    """Of a command as MONITOR shows it."""
    return [codecs.escape_decode(word)[0] for word in re.findall(rb'"((?:[^"\\]|\\.)*)"', line)]


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collector() as there:
        there.environment(monkeypatch)
        yield there


@pytest.fixture
def mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, traces: Collector) -> Iterator[RealMesh]:
    monkeypatch.setenv("EW_ROLLOUT_BEHIND_SECONDS", BEHIND_SECONDS)
    mesh = RealMesh(tmp_path)
    yield mesh
    with suppress(NoMesh):
        mesh.stop()


@pytest.fixture
def workers(mesh: RealMesh) -> Iterator[Workers]:
    workers = Workers(mesh)
    yield workers
    workers.end()


@contextmanager
def stopped(workers: list[int]) -> Iterator[None]:
    """The vLLMs of these rollout workers stand still; what the workers hold stays theirs."""
    engines = [vllm for pid in workers for vllm in below(pid, "EngineCore")]
    assert len(engines) == len(workers)
    for vllm in engines:
        vllm.suspend()
    try:
        yield
    finally:
        for vllm in engines:
            vllm.resume()


def submit(mesh: RealMesh) -> jobs_pb2.Job:
    asked = recipe("scaling", mesh.folder / "out", mesh.data, {"toy": TOY}, STEPS)
    rl = asked["stages"][1]
    rl["max_staleness"], rl["sampling"]["max_tokens"] = STALENESS, MAX_TOKENS
    rl["optimizer"] = {"learning_rate": 1.0e-5}
    asked["stages"] = asked["stages"][:2]
    path = mesh.folder / "scaling.yaml"
    path.write_text(yaml.safe_dump(asked))
    return mesh.client.submit(path, request_id="scaling")


def test_workers_come_and_go_in_the_middle_of_a_job(mesh: RealMesh, workers: Workers, traces: Collector) -> None:
    job = submit(mesh)
    run_id = f"{job.job_id}/1-train/0"
    with published_versions(mesh) as versions, Watch(mesh, run_id) as watch:
        mesh.until_step(job.job_id, 1)

        # 1 -> 4
        workers.join(["extra-1", "extra-2", "extra-3"], [mesh.pid("rollout-0")])
        four = mesh.client.get(job.job_id).step
        mesh.until_step(job.job_id, four + 2)

        # 4 -> 2
        with workers.frozen_at_work("extra-1") as killed:
            killed.kill()
            killed.wait()
        leavers = ["extra-2"]
        while not workers.leave(leavers[-1]):  # vLLM had worked on new weights, and not on the group: another leaves
            leavers.append(f"extra-2-{len(leavers)}")
            workers.join([leavers[-1]], [mesh.pid("rollout-0"), workers.processes["extra-3"].pid])
        two = mesh.client.get(job.job_id).step
        mesh.until_step(job.job_id, two + 2)

        # 2 -> 3
        workers.join(["extra-4"], [mesh.pid("rollout-0"), workers.processes["extra-3"].pid])
        three = mesh.client.get(job.job_id).step
        job = mesh.until_succeeded(job.job_id)
    print(f"four workers at step {four}, two at {two}, three at {three} of {STEPS}; {len(versions)} versions published")
    assert four < two < three < STEPS
    assert job.lineage == 0

    used = check_ledger(mesh.queue, run_id)
    check_groups(watch, used, workers, versions)
    check_hand_over(watch, mesh.queue.ledger(run_id), workers, leavers)

    check_loads(traces, run_id, workers)
    check_one_trace_over_a_hand_over(mesh, workers, traces, job, "extra-4", ["extra-3"])


def check_ledger(queue: Queue, run_id: str) -> dict[int, int]:
    """Each step had its fill; what was dropped was too old when its turn came, or left over. Step of each ordinal."""
    ledger = queue.ledger(run_id)
    used = {ordinal: int(state[5:]) for ordinal, state in ledger.items() if state.startswith("used:")}
    assert sorted(used.values()) == sorted(step for step in range(1, STEPS + 1) for _ in range(GROUPS))
    assert sorted(ledger) == list(range(len(ledger))), "an ordinal was skipped"
    dropped = {state for ordinal, state in ledger.items() if ordinal not in used}
    assert all(state == "dropped:closed" or state.startswith("dropped:stale: ") for state in dropped), dropped
    assert queue.dead_letters() == []
    return used


def check_groups(watch: Watch, used: dict[int, int], workers: Workers, versions: list[tuple[str, int]]) -> None:
    """No token without a version, none of a version that nobody verified, none beyond the staleness bound."""
    assert set(used) <= set(watch.groups)
    base = versions[0][1]
    names = ["rollout-0", *workers.processes]
    loaded = {name: {e["version"] for e in workers.events(name, "weights loaded")} for name in names}
    assert all(found <= set(range(base, base + STEPS + 1)) for found in loaded.values())
    mixed = 0
    for ordinal, step in used.items():
        group = watch.groups[ordinal]
        learner = base + step - 1
        elsewhere = {s.version for t in watch.begun.get(ordinal, ()) for s in t.versions}
        for t in group.trajectories:
            assert len(t.token_ids) == len(t.logprobs) == sum(span.tokens for span in t.versions) > 0
            spans = [span.version for span in t.versions]
            assert spans == sorted(spans)
            assert learner - spans[0] <= STALENESS, (ordinal, step, spans)
            assert set(spans) - elsewhere <= loaded[group.worker], (group.worker, spans)
            assert elsewhere <= set().union(*loaded.values())
            mixed += len(spans) > 1
    by_worker = {name: sum(g.worker == name for g in watch.groups.values()) for name in names}
    print(f"groups by worker {by_worker}; {mixed} trajectories with tokens of two versions")


def check_hand_over(watch: Watch, ledger: dict[int, str], workers: Workers, leavers: list[str]) -> None:
    """Every token that a leaver had generated is in what others made of it; the last who had a group counts."""
    leaver_of = {ordinal: name for name in leavers for ordinal in workers.handed_back(name)}
    told = {ordinal: workers.handed_back(name)[ordinal] for ordinal, name in leaver_of.items()}
    print(f"handed back: tokens by ordinal {told}")
    assert sum(told.values()) > 0, "the worker had nothing to hand back"
    assert set(told) == set(watch.begun)
    for ordinal, begun in watch.begun.items():
        assert sum(len(t.token_ids) for t in begun) == told[ordinal]
        group = watch.groups.get(ordinal)
        if group is None:  # the trainer did not keep it for long enough to be seen
            assert ledger[ordinal].startswith("dropped:"), ledger[ordinal]
            continue
        assert group.worker != leaver_of[ordinal] and not group.task.begun
        for before, after in zip(begun, group.trajectories, strict=True):
            count = len(before.token_ids)
            assert list(after.token_ids[:count]) == list(before.token_ids)
            assert list(after.logprobs[:count]) == list(before.logprobs)


def check_loads(traces: Collector, run_id: str, workers: Workers) -> None:
    """The traces of the groups that a version was learned from go on to the workers that loaded it."""

    def loads() -> set[str]:
        spans = [span for life in traces.lives(run_id).values() for span in life if span.name == "load"]
        return {traces.attributes(span)["worker"] for span in spans}

    wait_for("loads", lambda: "rollout-0" in loads())
    assert loads() <= {"rollout-0", *workers.processes}


def check_one_trace_over_a_hand_over(
    mesh: RealMesh, workers: Workers, traces: Collector, before: jobs_pb2.Job, leaver: str, others: list[str]
) -> None:
    """The leaver alone can generate, until it has left: all that it had begun is learned from, since the staleness
    bound of this job lets no group become too old. Each such group is one trace over all services."""
    asked = recipe("ahead", mesh.folder / "out", mesh.data, {"path": f"{before.output_uri}/model"}, AHEAD)
    asked["stages"] = asked["stages"][1:2]
    asked["stages"][0] |= {"max_staleness": AHEAD, "sampling": {"samples": 4, "max_tokens": MAX_TOKENS}}
    with stopped([mesh.pid("rollout-0"), *[workers.processes[name].pid for name in others]]):
        job = mesh.submit_recipe(asked)
        assert workers.leave(leaver, ALONE_SECONDS) > 0, "it had generated nothing"
    mesh.until_succeeded(job.job_id)
    run_id = f"{job.job_id}/0-train/0"
    used = sorted(f"used:{step}" for step in range(1, AHEAD + 1) for _ in range(GROUPS))
    assert sorted(mesh.queue.ledger(run_id).values()) == used
    handed = {ordinal: tokens for ordinal, tokens in workers.handed_back(leaver).items() if tokens}
    stations = {"submit", "issue", "rollout", "reward", "train", "publish"}

    def crossed() -> bool:
        lives = traces.lives(run_id)
        return all(stations <= {span.name for span in lives.get(ordinal, ())} for ordinal in handed)

    wait_for("the traces", crossed)
    lives = traces.lives(run_id)
    for ordinal, tokens in handed.items():
        told = [(span, traces.attributes(span)) for span in lives[ordinal]]
        stays = [(span.start_time_unix_nano, about) for span, about in told if span.name == "rollout"]
        ((left_at, left),) = [stay for stay in stays if stay[1]["worker"] == leaver]
        assert left["handed_back"] and left["tokens"] == tokens
        went_on = [stay for stay in stays if stay[1]["worker"] in ("rollout-0", *others)]
        assert went_on and len(went_on) == len(stays) - 1
        for begun, stay in went_on:
            assert begun > left_at and stay["tokens"] >= tokens and not stay["handed_back"]
        (learned,) = [about for span, about in told if span.name == "train"]
        assert {about["version"] for span, about in told if span.name in ("publish", "load")} == {learned["version"]}
    print(f"{len(handed)} groups handed over, {sum(handed.values())} tokens of them, one trace each")
