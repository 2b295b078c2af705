"""A person cancels, pauses and resumes jobs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from jobs_kit import Mesh, check_ledgers, jobs_mesh, wait_for, whole_recipe

from earwitness.redis_server import connect
from earwitness.wire.jobs.v1 import jobs_pb2 as wire


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    with jobs_mesh(tmp_path) as mesh:
        yield mesh


@pytest.fixture
def recipe(tmp_path: Path) -> dict:
    return whole_recipe(tmp_path)


def test_second_job_waits_and_cancel_leaves_nothing(mesh: Mesh, recipe: dict) -> None:
    mesh.start_rest("--step-seconds", "0.3")
    first, second, third = (mesh.submit(recipe).job.job_id for _ in range(3))
    mesh.until(first, "some steps", lambda j: j.stage_type == "sft" and j.step >= 2)
    so_far = list(mesh.stub.WatchJob(wire.WatchJobRequest(job_id=first, until_now=True)))
    assert so_far[-1].event.sequence == len(so_far) and so_far[-1].event.job.step >= 2
    assert mesh.get(second).state == wire.JOB_STATE_QUEUED

    started = time.monotonic()
    assert mesh.stub.CancelJob(wire.CancelJobRequest(job_id=third)).job.state == wire.JOB_STATE_CANCELLED
    assert mesh.stub.CancelJob(wire.CancelJobRequest(job_id=first)).job.state == wire.JOB_STATE_CANCELLED
    assert time.monotonic() - started < 10
    mesh.until(second, "its turn", lambda j: j.stage_type == "sft" and j.step >= 1)

    mesh.stub.CancelJob(wire.CancelJobRequest(job_id=second))
    redis = connect(mesh.redis.url)
    assert not redis.exists("ew:active") and not redis.exists("ew:run") and not redis.exists("ew:jobs:running")
    assert mesh.events(third)[-1].job.state == wire.JOB_STATE_CANCELLED
    with pytest.raises(grpc.RpcError) as refused:
        mesh.stub.PauseJob(wire.PauseJobRequest(job_id=first))
    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize("stage", ["sft", "rl"])
def test_pause_holds_and_resume_goes_on(mesh: Mesh, recipe: dict, stage: str) -> None:
    mesh.start_rest("--step-seconds", "0.2")
    job_id = mesh.submit(recipe).job.job_id
    phase = {"sft": "tune", "rl": "train"}[stage]
    mesh.until(job_id, "a step", lambda j: (j.stage_type, j.phase) == (stage, phase) and j.step >= 1)
    job = mesh.stub.PauseJob(wire.PauseJobRequest(job_id=job_id)).job
    assert job.state == wire.JOB_STATE_PAUSED
    time.sleep(1.0)
    assert mesh.get(job_id).step == job.step
    resumed = mesh.stub.ResumeJob(wire.ResumeJobRequest(job_id=job_id)).job
    assert resumed.state == wire.JOB_STATE_RUNNING
    done = mesh.until(job_id, "the end", lambda j: j.state == wire.JOB_STATE_SUCCEEDED)
    check_ledgers(mesh, done, recipe)


def test_cancel_while_probe_data_is_written(mesh: Mesh, recipe: dict) -> None:
    mesh.start_rest()
    del recipe["data"]
    recipe |= {"probe": {"lessons": 100_000}}
    job_id = mesh.submit(recipe).job.job_id
    data = Path(mesh.get(job_id).output_uri, "data", "lessons")
    wait_for("some clips", lambda: data.is_dir() and any(data.iterdir()))
    ended = mesh.stub.CancelJob(wire.CancelJobRequest(job_id=job_id)).job
    assert ended.state == wire.JOB_STATE_CANCELLED
    clips = len(list(data.iterdir()))
    time.sleep(1.5)
    assert len(list(data.iterdir())) == clips  # nobody writes any more
