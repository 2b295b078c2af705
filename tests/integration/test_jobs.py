"""A whole job, and what becomes of jobs whose recipe meets a limit."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

sys.path.insert(0, str(Path(__file__).parent))

from jobs_kit import Mesh, check_ledgers, jobs_mesh, numbered_without_gaps, wait_for, whole_recipe

from earwitness.cli.commands import app
from earwitness.explain import explain
from earwitness.jobs.report.compare import read_run
from earwitness.recipe.stages import CONTROLS
from earwitness.series import steps_of
from earwitness.wire.jobs.v1 import jobs_pb2 as wire

pytestmark = pytest.mark.smoke


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    with jobs_mesh(tmp_path) as mesh:
        yield mesh


@pytest.fixture
def recipe(tmp_path: Path) -> dict:
    return whole_recipe(tmp_path)


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
    milestones = {"cold_start", "distilled", "final"} | {f"final_{control}" for control in CONTROLS}
    assert set(report["accuracy"]) == {*milestones, "n", "chance", "gain", "rl_gain", "interval"}
    assert report["accuracy"]["distilled"] is not None and report["accuracy"]["rl_gain"] == 0
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
    assert "Seconds of a group" in page and "Right answers, by kind of question" in page

    again = read_run(job.output_uri)
    assert again.steps == steps_of(events)
    assert again.report["provenance"]["data"].keys() == recipe["data"].keys()
    tracked = Path(job.output_uri, "tracked.json")
    wait_for("the trackers", lambda: json.loads(tracked.read_text())["sequence"] == len(events))
    assert {run.name for run in Path(job.output_uri, "tensorboard").iterdir()} == {"1-sft", "3-mgrd", "4-rl", "job"}
    _reproduced(mesh, job.output_uri)

    told = explain(events)
    assert {"sft", "mgrd", "rl"} <= told.seconds.keys() <= {*report["seconds"], "prepare"}
    evaluated = [m.value for e in events for m in e.metrics if m.name == "evaluation.accuracy"]
    assert evaluated == [report["accuracy"]["cold_start"], report["accuracy"]["final"]]
    (learned,) = (phase for phase in told.phases if phase.stage_type == "rl" and phase.name == "train")
    assert learned.speed is not None and set(learned.speed.workers) == {"rollout", "reward"}
    assert learned.groups["used"] == recipe["stages"][3]["steps"] * recipe["stages"][3]["groups_per_step"]
    now = wire.WatchJobRequest(job_id=job_id, until_now=True)
    assert [r.event for r in mesh.stub.WatchJob(now)] == events


def _reproduced(mesh: Mesh, folder: str) -> None:
    """The same recipe on stand-ins that answer as before: another job, and no difference."""
    address = ["--address", f"127.0.0.1:{mesh.jobs_port}"]
    page = Path(folder).parent / "compare.html"
    done = CliRunner().invoke(app, ["reproduce", f"{folder}/report.json", "--json", "--page", str(page), *address])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    (old, new), (differences,) = found["jobs"], found["differences"].values()
    assert old["job_id"] != new["job_id"] and old["provenance"] == new["provenance"] and found["settings"] == {}
    assert {row["kind"]: row["n"] for row in differences} == {"all": 24, "kind_0": 8, "kind_1": 8, "kind_2": 8}
    assert all(row["gain"] == row["low"] == row["high"] == 0 for row in differences)
    assert new["job_id"] in page.read_text() and page.read_text().count("<audio") == 12


def test_submitting_twice_gives_one_job(mesh: Mesh, recipe: dict) -> None:
    first, second = mesh.submit(recipe, "the-same"), mesh.submit(recipe, "the-same")
    assert (first.existed, second.existed) == (False, True)
    assert first.job.job_id == second.job.job_id
    jobs = mesh.stub.ListJobs(wire.ListJobsRequest()).jobs
    assert [j.job_id for j in jobs] == [first.job.job_id]


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


def test_too_few_selected_prompts_name_the_distribution(mesh: Mesh, recipe: dict) -> None:
    mesh.start_rest()
    recipe["stages"][3]["select"] |= {"min_correct": 8, "max_correct": 8}
    end = mesh.events(mesh.submit(recipe).job.job_id)[-1].job
    assert end.state == wire.JOB_STATE_FAILED
    assert "8 to 8 of 8 correct, but a step needs 4; prompts by number correct:" in end.reason
