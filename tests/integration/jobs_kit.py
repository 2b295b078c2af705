"""The real jobs service on a real Redis, a recipe with every kind of stage, and stand-ins of the rest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
import soundfile
import yaml

from earwitness.local.ports import free_ports
from earwitness.manifest import Example, write_manifest
from earwitness.queue import Queue
from earwitness.redis_server import RedisServer, connect
from earwitness.wire.jobs.v1 import jobs_pb2 as wire
from earwitness.wire.jobs.v1 import jobs_pb2_grpc
from earwitness.wire.trajectory.v1 import trajectory_pb2
from tests.integration.process_kit import PATIENCE, wait_for

ROOT = Path(__file__).resolve().parents[2]
PATIENT_JOBS = """
import runpy
from tests.integration.process_kit import wait_for_redis
wait_for_redis()
runpy.run_module("services.jobs", run_name="__main__")
"""
"""The service, to which a Redis that is silent for seconds, as on a machine that stalls, is no outage."""
TERMINAL = (wire.JOB_STATE_SUCCEEDED, wire.JOB_STATE_FAILED, wire.JOB_STATE_CANCELLED)


class Mesh:
    """A jobs service, a stand-in of the rest, and a client."""

    def __init__(self, folder: Path, redis: RedisServer) -> None:
        self.folder, self.redis = folder, redis
        self.jobs_port, self.trainer_port, self.metrics_port = free_ports(3)
        self._hold = folder / "hold"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.channel = grpc.insecure_channel(
            f"127.0.0.1:{self.jobs_port}",
            options=[("grpc.max_reconnect_backoff_ms", 300), ("grpc.initial_reconnect_backoff_ms", 100)],
        )
        self.stub = jobs_pb2_grpc.JobServiceStub(self.channel)

    def start(self, name: str, *command: str, **environ: str) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1", **environ}
        self.processes[name] = subprocess.Popen([sys.executable, *command], env=env, stderr=log, stdout=log, cwd=ROOT)

    def start_jobs(self) -> None:
        self.start(
            "jobs", "-c", PATIENT_JOBS, EW_QUEUE_URL=self.redis.url, EW_LISTEN=f"127.0.0.1:{self.jobs_port}",
            EW_TRAINER=f"127.0.0.1:{self.trainer_port}", EW_NAME="jobs", EW_CLAIM_IDLE_MS="2000",
            EW_METRICS_PORT=str(self.metrics_port),
        )  # fmt: skip

    def start_rest(self, *options: str) -> None:
        script = str(Path(__file__).with_name("mesh_stand_in.py"))
        options = ("--hold", str(self._hold), *options)
        self.start("rest", script, self.redis.url, f"127.0.0.1:{self.trainer_port}", *options)

    def hold(self, phase: str, steps: int | None = None) -> None:
        """Phases of this name do not end, or get beyond `steps`, before `let_go`: what a test does in the middle of one
        is in its middle."""
        said = self._hold.with_suffix(".new")
        said.write_text(phase if steps is None else f"{phase} {steps}")
        said.rename(self._hold)

    def let_go(self) -> None:
        self._hold.unlink()

    def cancelled(self, job_id: str) -> None:
        """Cancels a job and waits for its end, also where the service says that it took too long to be waited for."""
        try:
            self.stub.CancelJob(wire.CancelJobRequest(job_id=job_id))
        except grpc.RpcError as error:
            assert "it will be cancelled" in str(error.details()), error
        self.until(job_id, "the cancellation", lambda job: job.state == wire.JOB_STATE_CANCELLED)

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        self.channel.close()
        for process in self.processes.values():
            process.kill()
            process.wait()

    def submit(self, recipe: dict, request_id: str = "", seconds: float = PATIENCE) -> wire.SubmitJobResponse:
        text = yaml.safe_dump(recipe).encode()
        request = wire.SubmitJobRequest(request_id=request_id or uuid.uuid4().hex, recipe_yaml=text)
        answer = self.stub.SubmitJob.future(request, wait_for_ready=True, timeout=seconds)
        while not answer.done():
            assert self.processes["jobs"].poll() is None, f"the jobs service ended:\n{self.said('jobs')}"
            time.sleep(0.02)
        if answer.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            self.processes["jobs"].send_signal(signal.SIGABRT)  # faulthandler says where it stands
            self.processes["jobs"].wait()
            raise AssertionError(f"no answer to a submission in {seconds} s:\n{self.said('jobs')}")
        return answer.result()

    def said(self, name: str) -> str:
        """The end of a process's log."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-5000:]

    def get(self, job_id: str) -> wire.Job:
        return self.stub.GetJob(wire.GetJobRequest(job_id=job_id), wait_for_ready=True).job

    def until(
        self, job_id: str, what: str, condition: Callable[[wire.Job], bool], seconds: float = PATIENCE
    ) -> wire.Job:
        def there() -> wire.Job | None:
            job = self.get(job_id)
            assert condition(job) or job.state not in TERMINAL, f"wanted {what}, but: {job}"
            return job if condition(job) else None

        return wait_for(what, there, seconds)

    def events(self, job_id: str, after: int = 0) -> list[wire.Event]:
        request = wire.WatchJobRequest(job_id=job_id, after_sequence=after)
        return [r.event for r in self.stub.WatchJob(request, wait_for_ready=True)]


@contextmanager
def jobs_mesh(tmp_path: Path) -> Iterator[Mesh]:
    """A jobs service on a Redis of its own."""
    with RedisServer("queue", tmp_path / "redis") as redis:
        mesh = Mesh(tmp_path, redis)
        try:
            mesh.start_jobs()
            yield mesh
        finally:
            mesh.stop()


def whole_recipe(tmp_path: Path) -> dict:
    """Every kind of stage, small."""
    clips = tmp_path / "clips"
    clips.mkdir()
    data = {}
    for name in ("cold_start", "train", "eval"):
        examples = []
        for i in range(24):
            path = clips / f"{name}-{i}.wav"
            soundfile.write(path, np.sin(np.arange(1600) * 0.1) * 0.1, 16_000)
            prompt = trajectory_pb2.Prompt(
                id=f"{name}-{i}", question="Up or down?", choices=["up", "down"], answer="up" if i % 2 else "down",
                verifier=trajectory_pb2.VERIFIER_CHOICE, audio_uri=str(path), kind=f"kind_{i % 3}",
            )  # fmt: skip
            examples.append(Example(prompt, reasoning="It rises." if name == "cold_start" else None))
        data[name] = str(tmp_path / f"{name}.jsonl")
        write_manifest(data[name], examples)
    optimizer = {"learning_rate": 1e-3}
    tune = {"steps": 20, "optimizer": optimizer}
    evaluate = {"type": "eval", "sampling": {"samples": 2}}
    return {
        "name": "small",
        "output": str(tmp_path / "out"),
        "model": {"toy": {}},
        "data": data,
        "stages": [
            {"type": "sft", "tune": tune},
            {**evaluate, "name": "before"},
            {"type": "mgrd", "prompts": 16, "sampling": {"samples": 4}, "tune": tune},
            {
                "type": "rl", "steps": 6, "groups_per_step": 4, "sampling": {"samples": 4}, "optimizer": optimizer,
                "select": {"prompts": 20, "samples": 8, "min_correct": 2, "max_correct": 6},
            },
            {**evaluate, "name": "after", "without_audio": True},
        ],
    }  # fmt: skip


def numbered_without_gaps(events: list[wire.Event]) -> bool:
    return [e.sequence for e in events] == list(range(1, len(events) + 1))


def check_ledgers(mesh: Mesh, job: wire.Job, recipe: dict, evaluated: int = 24) -> None:
    """Every ordinal of the last lineage is used once or dropped; RL used exactly what it needs."""
    files = sorted(Path(job.output_uri, "ledger").glob("*.json"), key=lambda f: f.stem)
    assert [f.stem for f in files] == ["1-score", "2-sample", "3-select", "3-train", "4-score", "4-score-silent"]
    for file in files:
        ledger = json.loads(file.read_text())["ordinals"]
        assert all(s.startswith(("used:", "dropped:")) for s in ledger.values()), file
        used = [s for s in ledger.values() if s.startswith("used:")]
        if file.stem == "3-train":
            stage = recipe["stages"][3]
            by_step = {step: used.count(f"used:{step}") for step in range(1, stage["steps"] + 1)}
            assert by_step == dict.fromkeys(by_step, stage["groups_per_step"])
            assert len(used) == stage["steps"] * stage["groups_per_step"]
        else:
            assert len(used) == {"2-sample": 16, "3-select": 20}.get(file.stem, evaluated)
    left = Queue(connect(mesh.redis.url)).lag()
    assert all(lag.waiting + lag.pending == 0 for lag in left)
