"""A stage that finds nothing left to learn is skipped and says so; only a recipe that cannot have meant it fails."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from jobs_kit import Mesh, jobs_mesh, whole_recipe

from earwitness import artifacts
from earwitness.wire.jobs.v1 import jobs_pb2 as wire


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    with jobs_mesh(tmp_path) as mesh:
        yield mesh


def test_stages_without_anything_to_learn_are_skipped_and_the_job_goes_on(mesh: Mesh, tmp_path: Path) -> None:
    recipe = whole_recipe(tmp_path)
    sft, _, mgrd, rl, evaluation = recipe["stages"]
    dpo = {"type": "dpo", "prompts": 20, "sampling": {"samples": 4}, "tune": mgrd["tune"]}
    recipe["stages"] = [sft, mgrd, copy.deepcopy(mgrd), rl, dpo, evaluation]
    mesh.start_rest("--learned-from", "2")
    events = mesh.events(mesh.submit(recipe).job.job_id)
    job = events[-1].job
    assert job.state == wire.JOB_STATE_SUCCEEDED, job
    said = [e.message for e in events if "skipped" in e.message]
    assert [words.split()[0] for words in said] == ["mgrd", "only", "dpo"]
    assert "too few supported claims: 64" in said[0] and "8: 20" in said[1] and "listens: 80" in said[2]
    trained = {e.job.stage_index for e in events if e.kind == "step"}
    assert trained == {0, 1}  # the cold start and the first round
    assert Path(job.output_uri, "report.json").is_file()
    published = [e.message for e in events if e.message.endswith(" published")]
    assert published[-1] == "weight version 2 published"  # the policy is that of the first round


def test_a_first_round_that_keeps_nothing_fails_the_job(mesh: Mesh, tmp_path: Path) -> None:
    recipe = whole_recipe(tmp_path)
    recipe["stages"] = recipe["stages"][:3]
    mesh.start_rest("--learned-from", "2")
    job = mesh.events(mesh.submit(recipe).job.job_id)[-1].job
    assert job.state == wire.JOB_STATE_FAILED
    assert job.reason.startswith("mgrd kept no trace of 64")


def test_a_curated_round_samples_what_cannot_be_answered_without_hearing(mesh: Mesh, tmp_path: Path) -> None:
    recipe = whole_recipe(tmp_path)
    sft, _, mgrd, *_ = recipe["stages"]
    recipe["stages"] = [sft, {**mgrd, "prompts": 24, "curate": {"samples": 4, "max_correct": 1}}]
    mesh.start_rest()
    events = mesh.events(mesh.submit(recipe).job.job_id)
    job = events[-1].job
    assert job.state == wire.JOB_STATE_SUCCEEDED, job
    silent, heard = (
        artifacts.read_groups(str(Path(job.output_uri, "samples", f"1-{of}.jsonl"))) for of in ("curate", "sample")
    )
    assert len(silent) == 24 and all(g.task.without_audio and len(g.trajectories) == 4 for g in silent)
    chosen = {g.task.prompt.id for g in silent if sum(t.reward.correct for t in g.trajectories) <= 1}
    assert 0 < len(chosen) < 24
    assert {g.task.prompt.id for g in heard} == chosen and not any(g.task.without_audio for g in heard)
    assert f"{len(chosen)} of 24 prompts cannot be answered without hearing" in [e.message for e in events]
    places = json.loads(Path(job.output_uri, "mgrd", "1.curated.json").read_text())
    assert {f"train-{place}" for place in places} == chosen


def test_selection_in_two_goes_samples_the_rest_within_reach_and_the_report_tells_what_that_saves(
    mesh: Mesh, tmp_path: Path
) -> None:
    mesh.start_rest()
    recipe = whole_recipe(tmp_path)
    recipe["stages"] = [recipe["stages"][0], recipe["stages"][3]]
    recipe["stages"][1]["select"]["first"] = 7
    end = mesh.events(mesh.submit(recipe).job.job_id)[-1].job
    assert end.state == wire.JOB_STATE_SUCCEEDED, end
    folder = Path(end.output_uri)
    first = json.loads(folder.joinpath("select/1.first.json").read_text())
    found = json.loads(folder.joinpath("select/1.json").read_text())
    near = {i for i, _, right in first if 1 <= right <= 6}
    rest = json.loads(folder.joinpath("ledger/1-select-rest.json").read_text())["ordinals"]
    assert len(first) == 20 and len(rest) == len(near)
    assert found["saved"] == len(first) - len(near)
    assert found["selected"] == [i for i, right in found["correct"].items() if 2 <= right <= 6]
    assert set(found["selected"]) <= near
    (told,) = json.loads(folder.joinpath("report.json").read_text())["stages"]
    assert told == {
        "stage": 1, "type": "rl", "prompts counted": 20, "prompts selected": len(found["selected"]),
        "samples saved": found["saved"],
    }  # fmt: skip


def test_rounds_select_by_what_mgrd_sampled_and_end_when_one_does_not_help(mesh: Mesh, tmp_path: Path) -> None:
    """Half of the answers are right in the first round, all from the second on, so the third has nothing to gain."""
    recipe = whole_recipe(tmp_path)
    sft, evaluation, mgrd, rl, _ = recipe["stages"]
    mgrd |= {"prompts": 20, "sampling": {"samples": 8}, "least_gain": 0.2}
    rl["select"] = {"samples": 8, "min_correct": 2, "max_correct": 6, "from_mgrd": True}
    of_round = [mgrd, rl, {**evaluation, "name": "scored"}]
    recipe["stages"] = [sft, {"rounds": 3, "stages": of_round}]
    mesh.start_rest("--learned-from", "4")
    events = mesh.events(mesh.submit(recipe).job.job_id)
    job = events[-1].job
    assert job.state == wire.JOB_STATE_SUCCEEDED, job
    folder = Path(job.output_uri)
    files = {file.stem for file in folder.joinpath("samples").glob("*.jsonl")}
    assert files == {"1-sample", "3-score", "4-sample", "6-score", "7-sample"}  # no selection has sampled
    counts = {
        g.task.prompt.id: sum(t.reward.correct for t in g.trajectories)
        for g in artifacts.read_groups(str(folder / "samples/1-sample.jsonl"))
    }
    selected = json.loads(folder.joinpath("select/2.json").read_text())
    assert selected["correct"] == counts and len(counts) == 20
    assert {f"train-{place}" for place in selected["places"]} == {i for i, n in counts.items() if 2 <= n <= 6}
    trained = {e.job.stage_index for e in events if e.kind == "step"}
    assert trained == {0, 1, 2}  # in the second round nothing is left to learn
    assert any("100.0% are in round 3: no more rounds" in e.message for e in events)
    report = json.loads(folder.joinpath("report.json").read_text())
    first, second, third = report["rounds"]
    assert report["accuracy"]["distilled"] is None  # nothing was evaluated before the one RL that took steps
    assert first["prompts selected"] == len(selected["selected"]) and first["traces sampled"] == 160
    assert first["of these right"] == sum(counts.values()) / 160 and second["of these right"] == 1.0
    assert {"round", "scored"} <= set(first) & set(second) and "scored" not in third
    assert "<h2>Rounds</h2>" in folder.joinpath("report.html").read_text()
