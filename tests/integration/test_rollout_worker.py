"""Rollout workers as real processes, between a real queue and a real weight plane. The tests share two, in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import psutil
import pytest

from earwitness.active import ActiveJob, write_active
from earwitness.errors import InfrastructureError
from earwitness.queue import READY, ROLLOUTS, TASKS, Queue
from earwitness.queue.commands import CONSUMERS
from earwitness.redis_server import RedisServer, connect
from earwitness.weights import WeightPublisher
from earwitness.weights.tensors import Tensor
from earwitness.wire.rollout.v1 import rollout_pb2, rollout_pb2_grpc
from earwitness.wire.trajectory.v1 import trajectory_pb2
from earwitness.wire.weights.v1.weights_pb2 import VERSION_KIND_DELTA, Manifest
from tests.integration.process_kit import PATIENCE, ROOT, said_in, wait_for
from tests.integration.rollout_frozen import frozen_at_work
from tests.integration.rollout_toy import make_clips, make_model, prompt, sampling, weight_tensors

CLAIM_IDLE_MS = 10_000
"""Longer than a machine stalls: what is claimed is what a worker that has died held."""
LONG = {"samples": 16, "max_tokens": 420}
"""A group that takes seconds."""
TOKENS_SECONDS = 0.3
"""What vLLM works until there are some tokens of each."""


@dataclass
class WorkerProcess:
    """One `python -m services.rollout`."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, name: str, folder: Path, queue_url: str, weights_url: str) -> WorkerProcess:
        log = folder / f"{name}.log"
        environment = {
            **os.environ,
            "EW_QUEUE_URL": queue_url,
            "EW_WEIGHTS_URLS": weights_url,
            "EW_NAME": name,
            "EW_CLAIM_IDLE_MS": str(CLAIM_IDLE_MS),
            "EW_ROLLOUT_GRACE_SECONDS": "1",
            "EW_LOG_LEVEL": "debug",
        }
        command = [sys.executable, "-m", "services.rollout"]
        with log.open("wb") as out:
            return cls(name, log, subprocess.Popen(command, cwd=ROOT, env=environment, stderr=out, stdout=out))

    def events(self, event: str) -> list[dict[str, Any]]:
        """Log lines of this name."""
        return [line for line in said_in(self.log.read_text()) if line["event"] == event]

    def alive(self) -> bool:
        """False, with the end of its log shown, once it has ended."""
        if self.process.poll() is None:
            return True
        print(self.log.read_text()[-4000:])
        return False


@dataclass
class Mesh:
    """Two workers, and the test in the place of jobs, trainer and reward."""

    queue: Queue
    client: Any
    publisher: WeightPublisher
    model_dir: Path
    clips: list[str]
    workers: dict[str, WorkerProcess]
    runs: int = 0
    run_id: str = ""
    groups: dict[int, trajectory_pb2.Group] = field(default_factory=dict)

    def open_run(self) -> None:
        """Begins a pass."""
        self.runs += 1
        self.run_id, self.groups = f"job/0-eval/{self.runs}", {}
        self.queue.open_run(self.run_id)

    def issue(self, ordinal: int, audio: str = "", min_version: int = 1, **how: float) -> None:
        """Issues one task."""
        task = trajectory_pb2.GroupTask(
            run_id=self.run_id,
            ordinal=ordinal,
            prompt=prompt(ordinal, audio),
            sampling=sampling(**how),
            min_version=min_version,
        )
        assert self.queue.issue(task)

    def claims(self, name: str) -> bool:
        """True if the queue has given it tasks that it has not brought back."""
        return bool(self.client.xpending_range(TASKS, CONSUMERS, "-", "+", 1, consumername=name))

    @contextmanager
    def at_work(self, *names: str) -> Iterator[int]:
        """These workers stand still in the middle of groups of a new run; how many of its tasks have been issued."""
        self.open_run()
        issued = 0

        def holds(name: str) -> bool:
            """More is issued until there is some for each."""
            nonlocal issued
            if not self.claims(name) and self.queue.lag()[0].waiting == 0:
                for _ in range(8):
                    self.issue(issued, **LONG)
                    issued += 1
            return self.claims(name)

        with ExitStack() as stack:
            for name in names:
                stack.enter_context(
                    frozen_at_work(self.workers[name].process.pid, lambda n=name: holds(n), TOKENS_SECONDS)
                )
            yield issued

    def collect(self, count: int, seconds: float = PATIENCE) -> dict[int, trajectory_pb2.Group]:
        """Waits for groups on `rollouts`."""

        def enough() -> bool:
            assert all(w.alive() for w in self.workers.values())
            for taken in self.queue.take(ROLLOUTS, "test", count=8, block_ms=100):
                group = trajectory_pb2.Group.FromString(taken.data)
                # on to the next station: what is only taken would be claimed again
                assert self.queue.hand_off(ROLLOUTS, taken.message_id, group, READY) == "ok"
                self.groups[group.task.ordinal] = group
            return len(self.groups) >= count

        wait_for(f"{count} groups", enough, seconds)
        return self.groups

    def announced(self, name: str) -> dict[str, str]:
        """What a worker last said."""
        return next((w.fields for w in self.queue.workers() if (w.role, w.name) == ("rollout", name)), {})

    def publish(self, version: int, seed: int | None = None) -> Manifest:
        """The model's weights under another version; with a seed, 2 % of them are others."""
        return self.publisher.publish(version, _patched(weight_tensors(self.model_dir), seed))


def _patched(tensors: Iterator[Tensor], seed: int | None) -> Iterator[Tensor]:
    for number, (name, dtype, shape, data) in enumerate(tensors):
        if seed is not None:
            bits = np.array(data).view(np.uint32)
            bits[np.random.default_rng((seed, number)).random(bits.size) < 0.02] ^= 0x40000
            data = bits.view(np.uint8)
        yield name, dtype, shape, data


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    folder = tmp_path_factory.mktemp("rollout")
    with RedisServer("queue", folder / "q") as queue, RedisServer("weights", folder / "w") as weights:
        workers = {name: WorkerProcess.start(name, folder, queue.url, weights.url) for name in ("a", "b")}
        try:
            client = connect(queue.url)
            model_dir = make_model(folder / "toy")
            publisher = WeightPublisher([weights.url], "job/0")
            yield Mesh(Queue(client, CLAIM_IDLE_MS), client, publisher, model_dir, make_clips(folder), workers)
        finally:
            for worker in workers.values():
                worker.process.kill()
                worker.process.wait()


def test_nothing_is_taken_before_the_jobs_first_version(mesh: Mesh) -> None:
    weights = mesh.publisher._shards
    WeightPublisher(weights, "earlier-job/0").publish_anchor(7, weight_tensors(mesh.model_dir))
    write_active(mesh.client, ActiveJob("job", str(mesh.model_dir), max_model_len=512))
    mesh.open_run()
    mesh.issue(0)
    for worker in mesh.workers.values():
        wait_for("the engine", lambda w=worker: w.events("engine started") or not w.alive(), PATIENCE)
    time.sleep(1.0)
    assert {lag.stream: (lag.waiting, lag.pending) for lag in mesh.queue.lag()}[TASKS] == (1, 0)
    mesh.publish(1)
    group = mesh.collect(1)[0]
    assert {(span.lineage, span.version) for t in group.trajectories for span in t.versions} == {("job/0", 1)}
    print("start", [w.events("engine started")[0]["seconds"] for w in mesh.workers.values()])
    print(
        "load", [w.events("weights loaded")[0]["seconds"] for w in mesh.workers.values() if w.events("weights loaded")]
    )


def test_groups_come_back_whole(mesh: Mesh) -> None:
    mesh.open_run()
    for ordinal in range(12):
        mesh.issue(ordinal, [*mesh.clips, ""][ordinal % 7], samples=4)
    for ordinal, group in mesh.collect(12).items():
        assert group.task.ordinal == ordinal and group.worker in mesh.workers
        (stay,) = group.passages
        assert (stay.station, stay.worker) == ("rollout", group.worker)
        assert stay.arrived <= stay.able <= stay.begun < stay.ended
        assert [t.index for t in group.trajectories] == [0, 1, 2, 3]
        for t in group.trajectories:
            assert 0 < len(t.token_ids) == len(t.logprobs) == sum(s.tokens for s in t.versions)
    assert set(mesh.queue.ledger(mesh.run_id).values()) == {"ready"}


def test_a_task_gives_the_same_trajectories_wherever_it_runs(mesh: Mesh) -> None:
    found = []
    for _ in range(2):
        mesh.open_run()
        for ordinal in range(6):
            mesh.issue(ordinal, mesh.clips[ordinal], samples=4)
        found.append({o: [list(t.token_ids) for t in g.trajectories] for o, g in mesh.collect(6).items()})
    assert found[0] == found[1]


def test_a_bad_clip_is_dropped_with_its_reason(mesh: Mesh) -> None:
    mesh.open_run()
    mesh.issue(0, "/nowhere/clip.wav")
    mesh.issue(1)
    mesh.collect(1)
    state = wait_for("the drop", lambda: (s := mesh.queue.ledger(mesh.run_id)[0]).startswith("dropped:") and s)
    assert state.startswith("dropped:bad audio: /nowhere/clip.wav")


def test_a_task_waits_for_its_version(mesh: Mesh) -> None:
    mesh.open_run()
    mesh.issue(0, min_version=2)
    time.sleep(1.5)
    assert mesh.queue.ledger(mesh.run_id) == {0: "issued"}
    mesh.publish(2)
    started = time.monotonic()
    versions = {span.version for t in mesh.collect(1)[0].trajectories for span in t.versions}
    print(f"published to rolled: {time.monotonic() - started:.2f} s")
    assert versions == {2}


def test_an_update_reaches_what_is_in_flight(mesh: Mesh) -> None:
    with mesh.at_work("a", "b") as issued:
        mesh.publish(3)
    spans = [[s.version for s in t.versions] for g in mesh.collect(issued).values() for t in g.trajectories]
    assert [2, 3] in spans
    assert all(versions in ([2], [2, 3], [3]) for versions in spans)


def test_groups_of_a_run_that_is_over_are_aborted(mesh: Mesh) -> None:
    with mesh.at_work("a", "b"):
        wait_for("work", lambda: all(int(mesh.announced(n).get("tasks", 0)) for n in mesh.workers))
        mesh.queue.close_run(mesh.run_id)
        wait_for("idle workers", lambda: all(mesh.announced(n).get("tasks") == "0" for n in mesh.workers))
    assert mesh.queue.take(ROLLOUTS, "test", block_ms=0) == []


def test_generate_and_status_by_rpc(mesh: Mesh) -> None:
    address = mesh.workers["a"].events("listening")[0]["address"]
    with grpc.insecure_channel(address) as channel:
        stub = rollout_pb2_grpc.RolloutServiceStub(channel)

        def status() -> tuple[str, str, int]:
            said = stub.GetStatus(rollout_pb2.GetStatusRequest())
            return said.worker, said.lineage, said.version

        wait_for("the newest version", lambda: status() == ("a", "job/0", 3))
        request = rollout_pb2.GenerateRequest(prompt=prompt(0, mesh.clips[2]), sampling=sampling())
        heard = stub.Generate(request).group
        request.without_audio = True
        silent = stub.Generate(request).group
        assert len(heard.trajectories) == 2
        assert len(heard.prompt_token_ids) == len(silent.prompt_token_ids)  # both clips last a second
        assert heard.trajectories[0].logprobs != silent.trajectories[0].logprobs
        request.sampling.samples = 0
        with pytest.raises(grpc.RpcError) as refused:
            stub.Generate(request)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert "sampling.samples" in refused.value.details()


def test_workers_that_missed_versions_catch_up_without_a_restart(mesh: Mesh) -> None:
    """They stand still while three deltas are published, then go on from the version they hold."""
    engines = {name: worker.events("engine started") for name, worker in mesh.workers.items()}
    for worker in mesh.workers.values():
        worker.process.send_signal(signal.SIGSTOP)
    manifests = [mesh.publish(version, seed=version) for version in (4, 5, 6)]
    assert [(m.kind, m.base_version) for m in manifests] == [(VERSION_KIND_DELTA, base) for base in (3, 4, 5)]
    for worker in mesh.workers.values():
        worker.process.send_signal(signal.SIGCONT)
    mesh.open_run()
    for ordinal in range(4):
        mesh.issue(ordinal, min_version=6)
    versions = {s.version for g in mesh.collect(4).values() for t in g.trajectories for s in t.versions}
    assert versions == {6}
    for name, worker in mesh.workers.items():
        wait_for("the newest weights", lambda w=worker: w.events("weights loaded")[-1]["version"] == 6)
        assert worker.events("engine started") == engines[name]
        lost = [e for e in worker.events("weights not loaded") if InfrastructureError.__name__ not in e["error"]]
        assert not lost  # a shard may have been silent, but nothing was gone


def test_the_tasks_of_a_killed_worker_are_claimed(mesh: Mesh) -> None:
    victim = mesh.workers["a"]
    with mesh.at_work("a") as issued:
        children = psutil.Process(victim.process.pid).children(recursive=True)
        victim.process.send_signal(signal.SIGKILL)
        victim.process.wait()
        del mesh.workers["a"]
    mesh.collect(issued)  # claimed after 10 s of silence, and generated by one worker
    assert set(mesh.queue.ledger(mesh.run_id).values()) == {"ready"}
    assert {g.worker for g in mesh.groups.values()} >= {"b"}
    _, engines = psutil.wait_procs(children, timeout=PATIENCE)
    assert not engines, "the killed worker's engine outlived it"


def test_a_worker_that_leaves_gives_its_tasks_back(mesh: Mesh) -> None:
    leaver = mesh.workers["b"]
    with mesh.at_work("b"):
        leaver.process.send_signal(signal.SIGTERM)
        wait_for("it to leave", lambda: mesh.announced("b").get("state") == "leaving")
    assert leaver.process.wait() == 0
    del mesh.workers["b"]
    held = {o for o, state in mesh.queue.ledger(mesh.run_id).items() if state == "issued"}
    taken = [t for _ in range(16) for t in mesh.queue.take(TASKS, "test", count=16, block_ms=0)]
    tasks = [trajectory_pb2.GroupTask.FromString(t.data) for t in taken]
    assert held and {task.ordinal for task in tasks} == held
    begun = {task.ordinal: task.begun for task in tasks if task.begun}
    assert begun and all(len(trajectories) == LONG["samples"] for trajectories in begun.values())
    for t in (t for trajectories in begun.values() for t in trajectories):
        assert len(t.token_ids) == len(t.logprobs) == sum(span.tokens for span in t.versions)
    # A hand-back that the queue has and whose answer came too late is told by nobody: each one told is there, whole.
    told = {e["ordinal"]: e["tokens"] for e in leaver.events("group handed back") if e["kept"]}
    assert told and told == {o: sum(len(t.token_ids) for t in begun[o]) for o in told}
    assert sum(told.values()) > 0
