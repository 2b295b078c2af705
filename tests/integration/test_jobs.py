"""The real jobs service on a real Redis; trainer and workers are stand-ins (mesh_stand_in.py)."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import soundfile
import yaml
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from earwitness.manifest import Example, write_manifest
from earwitness.queue import Queue
from earwitness.redis_server import RedisServer, connect
from earwitness.wire.jobs.v1 import jobs_pb2 as wire
from earwitness.wire.jobs.v1 import jobs_pb2_grpc
from earwitness.wire.trajectory.v1 import trajectory_pb2

ROOT = Path(__file__).resolve().parents[2]
TERMINAL = (wire.JOB_STATE_SUCCEEDED, wire.JOB_STATE_FAILED, wire.JOB_STATE_CANCELLED)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what: str, condition: Callable[[], object], seconds: float = 30.0) -> object:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s for {what}")


class Mesh:
    """A jobs service, a stand-in of the rest, and a client."""

    def __init__(self, folder: Path, redis: RedisServer) -> None:
        self.folder, self.redis = folder, redis
        self.jobs_port, self.trainer_port = free_port(), free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.channel = grpc.insecure_channel(
            f"127.0.0.1:{self.jobs_port}",
            options=[("grpc.max_reconnect_backoff_ms", 300), ("grpc.initial_reconnect_backoff_ms", 100)],
        )
        self.stub = jobs_pb2_grpc.JobServiceStub(self.channel)

    def start(self, name: str, *command: str, **environ: str) -> None:
        log = (self.folder / f"{name}.log").open("ab")
        env = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
        self.processes[name] = subprocess.Popen([sys.executable, *command], env=env, stderr=log, stdout=log, cwd=ROOT)

    def start_jobs(self) -> None:
        self.start(
            "jobs", "-m", "services.jobs", EW_QUEUE_URL=self.redis.url, EW_LISTEN=f"127.0.0.1:{self.jobs_port}",
            EW_TRAINER=f"127.0.0.1:{self.trainer_port}", EW_NAME="jobs", EW_CLAIM_IDLE_MS="2000",
        )  # fmt: skip

    def start_rest(self, *options: str) -> None:
        script = str(Path(__file__).with_name("mesh_stand_in.py"))
        self.start("rest", script, self.redis.url, f"127.0.0.1:{self.trainer_port}", *options)

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def stop(self) -> None:
        self.channel.close()
        for process in self.processes.values():
            process.kill()
            process.wait(10)

    def submit(self, recipe: dict, request_id: str = "", seconds: float = 30.0) -> wire.SubmitJobResponse:
        text = yaml.safe_dump(recipe).encode()
        request = wire.SubmitJobRequest(request_id=request_id or uuid.uuid4().hex, recipe_yaml=text)
        return self.stub.SubmitJob(request, wait_for_ready=True, timeout=seconds)

    def get(self, job_id: str) -> wire.Job:
        return self.stub.GetJob(wire.GetJobRequest(job_id=job_id), wait_for_ready=True, timeout=20).job

    def until(self, job_id: str, what: str, condition: Callable[[wire.Job], bool], seconds: float = 30.0) -> wire.Job:
        def there() -> wire.Job | None:
            job = self.get(job_id)
            assert condition(job) or job.state not in TERMINAL, f"wanted {what}, but: {job}"
            return job if condition(job) else None

        return wait_for(what, there, seconds)

    def events(self, job_id: str, after: int = 0) -> list[wire.Event]:
        request = wire.WatchJobRequest(job_id=job_id, after_sequence=after)
        return [r.event for r in self.stub.WatchJob(request, wait_for_ready=True, timeout=100)]


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    with RedisServer("queue", tmp_path / "redis") as redis:
        mesh = Mesh(tmp_path, redis)
        try:
            mesh.start_jobs()
            yield mesh
        finally:
            mesh.stop()


@pytest.fixture
def recipe(tmp_path: Path) -> dict:
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


def check_ledgers(mesh: Mesh, job: wire.Job, recipe: dict) -> None:
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
            assert len(used) == {"1-score": 24, "2-sample": 16, "3-select": 20}.get(file.stem, 24)
    left = Queue(connect(mesh.redis.url)).lag()
    assert all(lag.waiting + lag.pending == 0 for lag in left)


def test_a_whole_job_and_its_report(mesh: Mesh, recipe: dict) -> None:
    mesh.start_rest()
    job_id = mesh.submit(recipe).job.job_id
    events = mesh.events(job_id)
    job = events[-1].job
    assert job.state == wire.JOB_STATE_SUCCEEDED, job
    assert numbered_without_gaps(events)
    assert mesh.get(job_id) == job
    states = [e.job.state for e in events]
    assert [s for i, s in enumerate(states) if i == 0 or states[i - 1] != s] == [
        wire.JOB_STATE_QUEUED, wire.JOB_STATE_STARTING, wire.JOB_STATE_RUNNING, wire.JOB_STATE_SUCCEEDED,
    ]  # fmt: skip
    sft_steps = [e.job.step for e in events if e.kind == "step" and e.job.stage_type == "sft"]
    assert sft_steps == list(range(1, 21))
    check_ledgers(mesh, job, recipe)

    report = json.loads(Path(job.output_uri, "report.json").read_text())
    assert set(report["accuracy"]) == {"cold_start", "final", "final_without_audio", "n", "gain", "interval"}
    assert report["accuracy"]["n"] == 24
    # Same prompts, same seed, and a stand-in that does not learn.
    assert report["accuracy"]["cold_start"] == report["accuracy"]["final"] > 0
    assert report["think_tokens"] == {"cold_start": 3.0, "final": 3.0}
    assert report["supported_share"] == {"cold_start": 1.0, "final": 1.0}
    assert report["logprob_gap"] == pytest.approx(1e-5)
    assert report["seconds"]["total"] >= sum(report["seconds"][p] for p in ("sft", "mgrd", "rl", "eval")) > 0
    page = Path(job.output_uri, "report.html").read_text()
    assert page.count("<audio") == 12
    assert "<b>loud</b>" not in page and "<i>220</i>" not in page  # a model's text stays text


def test_submitting_twice_gives_one_job(mesh: Mesh, recipe: dict) -> None:
    first, second = mesh.submit(recipe, "the-same"), mesh.submit(recipe, "the-same")
    assert (first.existed, second.existed) == (False, True)
    assert first.job.job_id == second.job.job_id
    jobs = mesh.stub.ListJobs(wire.ListJobsRequest(), timeout=10).jobs
    assert [j.job_id for j in jobs] == [first.job.job_id]


def test_second_job_waits_and_cancel_leaves_nothing(mesh: Mesh, recipe: dict) -> None:
    mesh.start_rest("--step-seconds", "0.3")
    first, second, third = (mesh.submit(recipe).job.job_id for _ in range(3))
    mesh.until(first, "some steps", lambda j: j.stage_type == "sft" and j.step >= 2)
    assert mesh.get(second).state == wire.JOB_STATE_QUEUED

    started = time.monotonic()
    assert mesh.stub.CancelJob(wire.CancelJobRequest(job_id=third), timeout=10).job.state == wire.JOB_STATE_CANCELLED
    assert mesh.stub.CancelJob(wire.CancelJobRequest(job_id=first), timeout=10).job.state == wire.JOB_STATE_CANCELLED
    assert time.monotonic() - started < 10
    mesh.until(second, "its turn", lambda j: j.stage_type == "sft" and j.step >= 1)

    mesh.stub.CancelJob(wire.CancelJobRequest(job_id=second), timeout=10)
    redis = connect(mesh.redis.url)
    assert not redis.exists("ew:active") and not redis.exists("ew:run") and not redis.exists("ew:jobs:running")
    assert mesh.events(third)[-1].job.state == wire.JOB_STATE_CANCELLED
    with pytest.raises(grpc.RpcError) as refused:
        mesh.stub.PauseJob(wire.PauseJobRequest(job_id=first), timeout=10)
    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize("stage", ["sft", "rl"])
def test_pause_holds_and_resume_goes_on(mesh: Mesh, recipe: dict, stage: str) -> None:
    mesh.start_rest("--step-seconds", "0.2")
    job_id = mesh.submit(recipe).job.job_id
    phase = {"sft": "tune", "rl": "train"}[stage]
    mesh.until(job_id, "a step", lambda j: (j.stage_type, j.phase) == (stage, phase) and j.step >= 1, 60)
    job = mesh.stub.PauseJob(wire.PauseJobRequest(job_id=job_id), timeout=15).job
    assert job.state == wire.JOB_STATE_PAUSED
    time.sleep(1.0)
    assert mesh.get(job_id).step == job.step
    resumed = mesh.stub.ResumeJob(wire.ResumeJobRequest(job_id=job_id), timeout=15).job
    assert resumed.state == wire.JOB_STATE_RUNNING
    done = mesh.until(job_id, "the end", lambda j: j.state == wire.JOB_STATE_SUCCEEDED, 90)
    check_ledgers(mesh, done, recipe)


@pytest.mark.timeout(240)
def test_killed_again_and_again_it_ends_well(mesh: Mesh, recipe: dict) -> None:
    """SIGKILL of the jobs service at random moments: nothing is lost, nothing is done twice, the watch has no gap."""
    mesh.start_rest("--step-seconds", "0.1")
    job_id = mesh.submit(recipe).job.job_id
    moments = random.Random(7)
    seen: list[wire.Event] = []
    kills = 0
    until = time.monotonic() + 180
    while not (seen and seen[-1].job.state in TERMINAL):
        assert time.monotonic() < until, f"not done after 180 s: {seen[-1:]}"
        watch = mesh.stub.WatchJob(
            wire.WatchJobRequest(job_id=job_id, after_sequence=len(seen)), wait_for_ready=True,
            timeout=moments.uniform(0.3, 2.0) if kills < 8 else 60,
        )  # fmt: skip
        try:
            seen.extend(r.event for r in watch)
        except grpc.RpcError as error:
            assert error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE), error
            if kills < 8 and seen and seen[-1].job.state not in TERMINAL:
                mesh.kill("jobs")
                mesh.start_jobs()
                kills += 1
    assert seen[-1].job.state == wire.JOB_STATE_SUCCEEDED, seen[-1]
    assert kills >= 4
    assert numbered_without_gaps(seen)
    check_ledgers(mesh, seen[-1].job, recipe)


def test_trainer_that_dies_goes_on_under_a_new_lineage(mesh: Mesh, recipe: dict) -> None:
    mesh.start_rest("--step-seconds", "0.4")
    job_id = mesh.submit(recipe).job.job_id
    mesh.until(job_id, "three RL steps", lambda j: j.phase == "train" and j.step >= 3, 60)
    mesh.kill("rest")
    mesh.start_rest("--step-seconds", "0.05")
    job = mesh.until(job_id, "the end", lambda j: j.state == wire.JOB_STATE_SUCCEEDED, 60)
    assert job.lineage == 1
    check_ledgers(mesh, job, recipe)


def test_groups_that_the_trainer_refuses_are_replaced(mesh: Mesh, recipe: dict) -> None:
    mesh.start_rest("--stale")
    sft, rl = recipe["stages"][0], recipe["stages"][3]
    del rl["select"]
    job = mesh.events(mesh.submit(recipe | {"stages": [sft, rl]}).job.job_id)[-1].job
    assert job.state == wire.JOB_STATE_SUCCEEDED, job
    states = list(json.loads(Path(job.output_uri, "ledger", "1-train.json").read_text())["ordinals"].values())
    assert states.count("dropped:stale") == rl["steps"]
    assert sum(s.startswith("used:") for s in states) == rl["steps"] * rl["groups_per_step"]


def test_a_phase_that_fails_ends_the_job_with_its_reason(mesh: Mesh, recipe: dict) -> None:
    mesh.start_rest("--fail", "tune")
    first, second = mesh.submit(recipe).job.job_id, mesh.submit(recipe).job.job_id
    for job_id in (first, second):
        end = mesh.events(job_id)[-1].job
        assert end.state == wire.JOB_STATE_FAILED
        assert "the loss is not finite" in end.reason


def test_probe_data_is_written_by_the_job(mesh: Mesh, recipe: dict) -> None:
    mesh.start_rest()
    del recipe["data"]
    recipe |= {"probe": {"lessons": 16, "cold_start": 16, "train": 16, "eval": 16}, "stages": recipe["stages"][:2]}
    end = mesh.events(mesh.submit(recipe).job.job_id)[-1].job
    assert end.state == wire.JOB_STATE_SUCCEEDED, end
    written = sorted(p.name for p in Path(end.output_uri, "data").glob("*.jsonl"))
    assert written == ["cold_start.jsonl", "eval.jsonl", "lessons.jsonl", "train.jsonl"]


def test_cancel_while_probe_data_is_written(mesh: Mesh, recipe: dict) -> None:
    mesh.start_rest()
    del recipe["data"]
    recipe |= {"probe": {"lessons": 100_000}}
    job_id = mesh.submit(recipe).job.job_id
    data = Path(mesh.get(job_id).output_uri, "data", "lessons")
    wait_for("some clips", lambda: data.is_dir() and any(data.iterdir()), 60)
    ended = mesh.stub.CancelJob(wire.CancelJobRequest(job_id=job_id), timeout=10).job
    assert ended.state == wire.JOB_STATE_CANCELLED
    clips = len(list(data.iterdir()))
    time.sleep(1.5)
    assert len(list(data.iterdir())) == clips  # nobody writes any more


def test_too_few_selected_prompts_name_the_distribution(mesh: Mesh, recipe: dict) -> None:
    mesh.start_rest()
    recipe["stages"][3]["select"] |= {"min_correct": 8, "max_correct": 8}
    end = mesh.events(mesh.submit(recipe).job.job_id)[-1].job
    assert end.state == wire.JOB_STATE_FAILED
    assert "8 to 8 of 8 correct, but a step needs 4; prompts by number correct:" in end.reason


def violations(error: grpc.RpcError) -> dict[str, str]:
    status = rpc_status.from_call(error)
    bad = error_details_pb2.BadRequest()
    assert status is not None and status.details[0].Unpack(bad)
    return {v.field: v.description for v in bad.field_violations}


WRONG = {
    "unknown key": (lambda r: r | {"colour": 1}, "colour"),
    "wrong type": (lambda r: r | {"seed": "many"}, "seed"),
    "impossible order": (lambda r: r | {"stages": r["stages"][1:]}, "stages[0].type"),
    "relative path": (lambda r: r | {"output": "here"}, "output"),
    "no such manifest": (lambda r: r | {"data": {**r["data"], "eval": "/no/such.jsonl"}}, "/no/such.jsonl"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_recipe_is_refused_by_field(mesh: Mesh, recipe: dict, case: str) -> None:
    change, field = WRONG[case]
    with pytest.raises(grpc.RpcError) as refused:
        mesh.submit(change(recipe))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    found = violations(refused.value)
    assert any(field in f for f in found), found
    assert not mesh.stub.ListJobs(wire.ListJobsRequest(), timeout=10).jobs


def test_requests_that_make_no_sense(mesh: Mesh, recipe: dict) -> None:
    def code(call: Callable[[], object]) -> grpc.StatusCode:
        with pytest.raises(grpc.RpcError) as refused:
            call()
        return refused.value.code()

    assert code(lambda: mesh.submit(recipe, "spaces are not allowed")) == grpc.StatusCode.INVALID_ARGUMENT
    assert code(lambda: mesh.submit(recipe | {"name": "x" * 10_000_000})) == grpc.StatusCode.INVALID_ARGUMENT
    assert code(lambda: mesh.get("nobody")) == grpc.StatusCode.NOT_FOUND
    assert code(lambda: mesh.events("nobody")) == grpc.StatusCode.NOT_FOUND
    assert code(lambda: mesh.stub.CancelJob(wire.CancelJobRequest(job_id="nobody"))) == grpc.StatusCode.NOT_FOUND
    bad_page = wire.ListJobsRequest(page_token="next")
    assert code(lambda: mesh.stub.ListJobs(bad_page)) == grpc.StatusCode.INVALID_ARGUMENT


def test_the_mesh_shows_who_is_here(mesh: Mesh) -> None:
    mesh.start_rest()
    get = lambda: mesh.stub.GetMesh(wire.GetMeshRequest(), wait_for_ready=True, timeout=20)  # noqa: E731
    found = wait_for("a worker", lambda: get() if get().workers else None)
    (worker,) = found.workers
    assert (worker.name, worker.role, worker.state, worker.tokens_per_second) == ("stand-in", "rollout", "working", 10)
    assert worker.seen_seconds_ago < 10
    assert [s.stream for s in found.streams] == ["tasks", "rollouts", "scored", "ready", "dead"]


def test_redis_that_is_not_there_is_named_within_five_seconds() -> None:
    env = {**os.environ, "EW_QUEUE_URL": f"redis://127.0.0.1:{free_port()}/0", "EW_TRAINER": "127.0.0.1:1"}
    ended = subprocess.run(
        [sys.executable, "-m", "services.jobs"], env=env, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    waited = re.search(r"waited ([\d.]+) s for Redis at redis://127\.0\.0\.1", ended.stderr)
    assert waited and float(waited.group(1)) <= 5.0, ended.stderr
