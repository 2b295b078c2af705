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
    mesh.hold("tune")
    mesh.start_rest("--step-seconds", "0.05")
    first, second, third = (mesh.submit(recipe).job.job_id for _ in range(3))
    mesh.until(first, "some steps", lambda j: j.stage_type == "sft" and j.step >= 2)
    so_far = list(mesh.stub.WatchJob(wire.WatchJobRequest(job_id=first, until_now=True)))
    assert so_far[-1].event.sequence == len(so_far) and so_far[-1].event.job.step >= 2
    assert mesh.get(second).state == wire.JOB_STATE_QUEUED

    assert mesh.stub.CancelJob(wire.CancelJobRequest(job_id=third)).job.state == wire.JOB_STATE_CANCELLED
    mesh.cancelled(first)
    mesh.until(second, "its turn", lambda j: j.stage_type == "sft" and j.step >= 1)

    mesh.cancelled(second)
    redis = connect(mesh.redis.url)
    assert not redis.exists("ew:active") and not redis.exists("ew:run") and not redis.exists("ew:jobs:running")
    assert mesh.events(third)[-1].job.state == wire.JOB_STATE_CANCELLED
    with pytest.raises(grpc.RpcError) as refused:
        mesh.stub.PauseJob(wire.PauseJobRequest(job_id=first))
    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize("stage", ["sft", "rl"])
def test_pause_holds_and_resume_goes_on(mesh: Mesh, recipe: dict, stage: str) -> None:
    phase = {"sft": "tune", "rl": "train"}[stage]
    mesh.hold(phase)
    mesh.start_rest("--step-seconds", "0.1")
    job_id = mesh.submit(recipe).job.job_id
    mesh.until(job_id, "a step", lambda j: (j.stage_type, j.phase) == (stage, phase) and j.step >= 1)
    mesh.stub.PauseJob(wire.PauseJobRequest(job_id=job_id))  # it waits 5 s for the update in hand
    job = mesh.until(job_id, "the pause", lambda j: j.state == wire.JOB_STATE_PAUSED)
    mesh.let_go()
    time.sleep(0.5)
    assert mesh.get(job_id).step == job.step
    mesh.stub.ResumeJob(wire.ResumeJobRequest(job_id=job_id))  # it waits 5 s for the runner to follow
    done = mesh.until(job_id, "the end", lambda j: j.state == wire.JOB_STATE_SUCCEEDED)
    states = [event.job.state for event in mesh.events(job_id)]
    since_the_pause = states[states.index(wire.JOB_STATE_PAUSED) :]
    assert next(s for s in since_the_pause if s != wire.JOB_STATE_PAUSED) == wire.JOB_STATE_RUNNING
    check_ledgers(mesh, done, recipe)
    assert_each_step_is_told(mesh, job_id)


def assert_each_step_is_told(mesh: Mesh, job_id: str) -> None:
    """Of each phase of the trainer, each step up to the last."""
    told: dict[tuple[int, str], set[int]] = {}
    for event in mesh.events(job_id):
        if event.kind == "step":
            told.setdefault((event.job.stage_index, event.job.phase), set()).add(event.job.step)
    assert told and all(steps == set(range(1, max(steps) + 1)) for steps in told.values()), told


def test_cancel_while_probe_data_is_written(mesh: Mesh, recipe: dict) -> None:
    mesh.start_rest()
    del recipe["data"]
    recipe |= {"probe": {"lessons": 100_000}}
    job_id = mesh.submit(recipe).job.job_id
    data = Path(mesh.get(job_id).output_uri, "data", "lessons")
    wait_for("some clips", lambda: data.is_dir() and any(data.iterdir()))
    mesh.cancelled(job_id)
    clips = len(list(data.iterdir()))
    time.sleep(1.5)
    assert len(list(data.iterdir())) == clips  # nobody writes any more
