"""What dies or refuses while a job runs shows neither in its ledger nor in its events."""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from jobs_kit import TERMINAL, Mesh, check_ledgers, jobs_mesh, numbered_without_gaps, whole_recipe

from earwitness.wire.jobs.v1 import jobs_pb2 as wire
from tests.integration.process_kit import PATIENCE


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    with jobs_mesh(tmp_path) as mesh:
        yield mesh


@pytest.fixture
def recipe(tmp_path: Path) -> dict:
    return whole_recipe(tmp_path)


def test_killed_again_and_again_it_ends_well(mesh: Mesh, recipe: dict) -> None:
    """SIGKILL of the jobs service at random moments: nothing is lost, nothing is done twice, the watch has no gap."""
    mesh.hold("train")  # until it has been killed often enough
    mesh.start_rest("--step-seconds", "0.1")
    job_id = mesh.submit(recipe).job.job_id
    moments = random.Random(7)
    seen: list[wire.Event] = []
    kills = 0
    until = time.monotonic() + PATIENCE
    while not (seen and seen[-1].job.state in TERMINAL):
        assert time.monotonic() < until, f"not done after {PATIENCE} s: {seen[-1:]}"
        watch = mesh.stub.WatchJob(
            wire.WatchJobRequest(job_id=job_id, after_sequence=len(seen)), wait_for_ready=True,
            timeout=moments.uniform(0.3, 2.0) if kills < 8 else PATIENCE,
        )  # fmt: skip
        try:
            seen.extend(r.event for r in watch)
        except grpc.RpcError as error:
            assert error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE), error
            if kills < 8 and seen and seen[-1].job.state not in TERMINAL:
                mesh.kill("jobs")
                mesh.start_jobs()
                kills += 1
                if kills == 8:
                    mesh.let_go()
    assert seen[-1].job.state == wire.JOB_STATE_SUCCEEDED, seen[-1]
    assert kills == 8
    assert numbered_without_gaps(seen)
    check_ledgers(mesh, seen[-1].job, recipe)


def test_trainer_that_dies_goes_on_under_a_new_lineage(mesh: Mesh, recipe: dict) -> None:
    mesh.hold("train")
    mesh.start_rest("--step-seconds", "0.05")
    job_id = mesh.submit(recipe).job.job_id
    mesh.until(job_id, "three RL steps", lambda j: j.phase == "train" and j.step >= 3)
    mesh.kill("rest")
    mesh.let_go()
    mesh.start_rest()
    job = mesh.until(job_id, "the end", lambda j: j.state == wire.JOB_STATE_SUCCEEDED)
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
