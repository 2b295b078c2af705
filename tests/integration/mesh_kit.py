"""A whole mesh of real processes, as `earwitness up` starts it, and a tiny recipe to run on it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import psutil
import redis
import yaml

from earwitness.client import TERMINAL, Mesh, ServerError, ServerUnreachable, state_name
from earwitness.local import control
from earwitness.local.plan import Options
from earwitness.local.process import tail
from earwitness.local.state import MeshState, ProcessState, read_state
from earwitness.local.sweep import alive, born, tagged
from earwitness.probe.write import write_probe
from earwitness.queue import READY, Queue
from earwitness.recipe.schema import ProbeData
from earwitness.redis_client import connect, connect_once
from earwitness.weights import WeightReader
from earwitness.weights.names import LATEST, NEWS, parse_version
from earwitness.wire.jobs.v1 import jobs_pb2
from earwitness.wire.rollout.v1 import rollout_pb2, rollout_pb2_grpc
from earwitness.wire.trainer.v1 import trainer_pb2, trainer_pb2_grpc
from tests.integration.process_kit import PATIENCE, below, wait_for

PROBE = ProbeData(lessons=1, cold_start=32, train=24, eval=8, seed=3)
"""Clips of each manifest."""

TOY = {
    "hidden_size": 64,
    "layers": 1,
    "heads": 2,  # heads of 32: vLLM's attention on the CPU takes no smaller ones
    "kv_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 512,
    "max_positions": 256,
    "encoder_size": 64,
    "encoder_layers": 1,
    "encoder_heads": 2,
    "adapter_size": 64,
}


def recipe(name: str, output: Path, data: dict[str, str], model: dict[str, Any], steps: int) -> dict[str, Any]:
    """Cold start, `steps` steps of PPO and an evaluation."""
    optimizer = {"learning_rate": 1.0e-3}
    return {
        "name": name,
        "output": str(output),
        "model": model,
        "data": data,
        "stages": [
            {"type": "sft", "tune": {"steps": 15, "batch_size": 8, "micro_batch_size": 8, "optimizer": optimizer}},
            {
                "type": "rl",
                "steps": steps,
                "groups_per_step": 4,
                "sampling": {"samples": 4, "max_tokens": 24},
                "optimizer": optimizer,
                "dynamic_filter": False,
                "checkpoint_every": 2,
            },
            {"type": "eval", "name": "final", "sampling": {"samples": 1, "max_tokens": 24}},
        ],
    }


class RealMesh:
    """The mesh in `folder / "mesh"`, its client, and the hand that kills its processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = write_probe(str(folder / "data"), PROBE)
        self.lines: list[str] = []
        self.state: MeshState = control.start_detached(Options(folder / "mesh"), self.lines.append)
        self.client = Mesh.connect(self.state.address, self.state.token, seconds=PATIENCE)
        self.redis = connect(self.state.queue_url)
        self.queue = Queue(self.redis)

    def submit(self, name: str, model: dict[str, Any], steps: int) -> jobs_pb2.Job:
        """The job of this name; submitted again, it is the same."""
        return self.submit_recipe(recipe(name, self.folder / "out", self.data, model, steps))

    def submit_recipe(self, written: dict[str, Any]) -> jobs_pb2.Job:
        """The same of any recipe."""
        path = self.folder / f"{written['name']}.yaml"
        path.write_text(yaml.safe_dump(written))
        return self.client.submit(path, request_id=written["name"])

    def until(
        self, job_id: str, what: str, reached: Callable[[jobs_pb2.Job], bool], seconds: float = PATIENCE
    ) -> jobs_pb2.Job:
        """The job once it has `reached` something; fails at once if it ends before."""

        def there() -> jobs_pb2.Job | None:
            try:
                job = self.client.get(job_id)
            except (ServerUnreachable, ServerError):  # it, or its Redis, was killed just now
                return None
            assert reached(job) or job.state not in TERMINAL, f"wanted {what}, but: {job}\n{self.logs()}"
            return job if reached(job) else None

        try:
            return wait_for(what, there, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from error

    def until_step(self, job_id: str, step: int, seconds: float = PATIENCE) -> jobs_pb2.Job:
        """The job once `step` RL steps are done, and others are still to come."""
        job = self.until(job_id, f"RL step {step}", lambda j: j.phase == "train" and j.step >= step, seconds)
        assert job.step < job.steps, f"too late for a kill in the middle: {job}"
        return job

    def until_succeeded(self, job_id: str, seconds: float = PATIENCE) -> jobs_pb2.Job:
        """The job at its good end."""
        return self.until(job_id, "success", lambda j: state_name(j.state) == "succeeded", seconds)

    def place(self, name: str) -> ProcessState:
        """A process as the supervisor sees it now."""
        return next(p for p in read_state(self.folder / "mesh").processes if p.name == name)

    def pid(self, name: str) -> int:
        """The service's process: for the trainer its only rank, not the launcher."""
        launcher = self.place(name).pid
        if name != "trainer":
            return launcher
        (rank,) = psutil.Process(launcher).children()
        return rank.pid

    @contextmanager
    def killed(self, name: str, victim: int = 0) -> Iterator[None]:
        """SIGKILL to one service, or to its child `victim`.

        At the end it must be back, what was there before gone, and nobody else touched.
        """
        before, restarts = self.place(name), self.restarts()
        there = {pid: born(pid) for pid in [before.pid, *tagged(self.state.mesh, name)]}
        os.kill(victim or self.pid(name), signal.SIGKILL)
        yield
        restarts[name] += 1
        wait_for(
            f"{name} to be back", lambda: self.restarts() == restarts and self.place(name).state == "healthy",
            PATIENCE,
        )  # fmt: skip
        left = [pid for pid, since in there.items() if since and alive(pid, since)]
        assert not left, f"outlived the kill of {name}: {[psutil.Process(pid).cmdline() for pid in left]}"

    def cancelled(self, job_id: str) -> jobs_pb2.Job:
        """Cancels a job; it at its end, also where that took longer than the service lets a person wait."""
        with suppress(ServerUnreachable, ServerError):
            self.client.cancel(job_id)
        return self.until(job_id, "the cancellation", lambda job: job.state == jobs_pb2.JOB_STATE_CANCELLED)

    def restarts(self) -> dict[str, int]:
        """How often each process was started again."""
        return {p.name: p.restarts for p in read_state(self.folder / "mesh").processes}

    def freeze_at_work(self, name: str, stream: str, seconds: float = PATIENCE) -> None:
        """Stop a worker so that it holds work of `stream`: what is killed afterwards is killed in the middle."""

        def holds() -> bool:
            os.kill(self.pid(name), signal.SIGSTOP)
            with suppress(AssertionError):
                return wait_for("work", lambda: self.pending(stream) > 0, 2.0)
            os.kill(self.pid(name), signal.SIGCONT)  # stopped at a moment when it was not asking for work
            return False

        wait_for(f"{name} to hold work of {stream}", holds, seconds)

    def engine(self) -> int:
        """vLLM's own process below the rollout worker."""
        (engine,) = below(self.place("rollout-0").pid, "EngineCore")
        return engine.pid

    def freeze_engine_in_update(self, seconds: float = PATIENCE) -> None:
        """Stop vLLM's process at a moment when the next thing asked of it is to load a new weight version."""
        reader = WeightReader(self.state.weights_urls)
        engine = self.engine()

        def asked() -> bool:
            wait_for("a step's groups", lambda: self.pending(READY) > 0, seconds, poll_seconds=0.01)
            known = reader.latest()
            os.kill(engine, signal.SIGSTOP)
            with suppress(AssertionError):
                return wait_for("the step's version", lambda: reader.latest() != known, 3.0)
            os.kill(engine, signal.SIGCONT)  # stopped too early or too late
            return False

        wait_for("a version published to a stopped engine", asked, seconds)
        time.sleep(0.5)  # the news of the version, which was published in the same moment

    def pending(self, stream: str) -> int:
        """Entries that consumers hold."""
        return next(lag.pending for lag in self.queue.lag() if lag.stream == stream)

    def trainer(self) -> trainer_pb2.GetStatusResponse:
        """What the trainer says of itself."""
        with grpc.insecure_channel(self.place("trainer").address) as channel:
            stub = trainer_pb2_grpc.TrainerServiceStub(channel)
            return stub.GetStatus(trainer_pb2.GetStatusRequest(), metadata=self._token)

    def rollout(self) -> rollout_pb2.GetStatusResponse:
        """What the rollout worker says of itself."""
        with grpc.insecure_channel(self.place("rollout-0").address) as channel:
            stub = rollout_pb2_grpc.RolloutServiceStub(channel)
            return stub.GetStatus(rollout_pb2.GetStatusRequest(), metadata=self._token)

    def logs(self) -> str:
        """The end of every process's log."""
        folder = self.folder / "mesh" / "logs"
        return "\n".join(f"--- {log.stem}\n{tail(log)}" for log in sorted(folder.glob("*.log")))

    def stop(self) -> list[int]:
        """As `earwitness down`; returns who had to be killed."""
        self.client.close()
        return control.stop(self.folder / "mesh")

    @property
    def _token(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.state.token}"),)


@contextmanager
def published_versions(mesh: RealMesh) -> Iterator[list[tuple[str, int]]]:
    """Every (lineage, version) that the weight plane names meanwhile, in order, without repetitions."""
    seen: list[tuple[str, int]] = []
    done = threading.Event()

    def note(name: bytes | None) -> None:
        if name and (version := parse_version(name.decode())) not in seen[-1:]:
            seen.append(version)

    def follow() -> None:
        """By the news, which wait for who reads them late; what was published before is asked for first."""
        with connect_once(mesh.state.weights_urls[0], PATIENCE) as client, client.pubsub() as news:
            news.subscribe(NEWS)
            while (news.get_message(timeout=0.1) or {}).get("type") != "subscribe":
                pass
            before, told = client.get(LATEST), []
            while message := news.get_message():
                told.append(message["data"])
            for name in [*([] if before in told else [before]), *told]:
                note(name)
            while not done.is_set():
                note((news.get_message(timeout=0.1) or {}).get("data"))

    def watch() -> None:
        while not done.is_set():
            with suppress(redis.ConnectionError, redis.TimeoutError):  # killed just now
                follow()
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()
