"""The jobs behind the table of the paper's claims are recipes that load, and the table says what reports say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks import paper
from benchmarks.agenda import Agenda
from benchmarks.paper import (
    CLIPS,
    JOBS,
    RECIPES,
    begin,
    folder_of,
    job_folder,
    load,
    mark_of,
    mesh_of,
    minutes_left,
    origins,
    recipe_of,
    with_origins,
)
from benchmarks.paper_claims import CLAIMS, judged
from benchmarks.paper_page import page, spread
from earwitness.client import Mesh
from earwitness.local import control
from earwitness.local.state import NoMesh
from earwitness.recipe.load import load_recipe

BUDGETS = [0, 6, 12, 24, 48]
EVERY_FILE = {"name", "output"}
"""What no two files have in common."""
CONTROLS = {"greedy", "without_audio", "shuffled_audio", "decisive_removed", "think_budgets"}
"""What an evaluation asks beside its prompts: it changes nothing of the policy."""
DIFFERS = {
    "by-ppo": {"stages.rl.algorithm"},
    "window": {"stages.rl.select", "stages.rl.dynamic_filter"},
    "hardest": {"stages.rl.select", "stages.rl.dynamic_filter"},
    "unfiltered": {"stages.rl.select", "stages.rl.dynamic_filter"},
    "random": {"stages.rl.select", "stages.rl.dynamic_filter"},
    "without-mgrd": {"stages.mgrd", "stages.distilled"},
    "mgrd-incoherent": {"stages.mgrd.coherent", "stages.rl", "stages.final"},
}
"""An ablation, and all that it changes of the recipe as a whole."""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder where the jobs that others go on from have ended well."""
    for name, stages in (("whole", ("0-sft", "2-mgrd")), ("inventing", ("0-sft",)), ("presence", ("0-sft",))):
        for choose in (False, True):
            job = folder_of(tmp_path, name, 17, choose) / f"{name}-1"
            for stage in stages:
                (job / "checkpoints" / stage / "step-00000008/hf").mkdir(parents=True)
            (job / "report.json").write_text("{}")
    return tmp_path


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Where two recipes differ; a stage goes by its name, or else its type."""
    if isinstance(one, dict) and isinstance(other, dict) and path != "stages.rl.select":
        for key in sorted({*one, *other}):
            yield from differences(one.get(key), other.get(key), f"{path}.{key}".removeprefix("."))
    elif path == "stages" and one and other:
        named = [{stage.get("name", stage.get("type", "rounds")): stage for stage in stages} for stages in (one, other)]
        yield from differences(*named, path)
    elif one != other:
        yield path


def test_every_file_is_a_job_and_a_recipe_that_can_be_submitted_by_itself() -> None:
    assert sorted(JOBS) == sorted(file.stem for file in RECIPES.glob("*.yaml"))
    for name in JOBS:
        recipe = load_recipe((RECIPES / f"{name}.yaml").read_text())
        assert (recipe.name, recipe.output) == (name, f"runs/paper/{name}")
        assert recipe.probe is not None and recipe.probe.seed == CLIPS + recipe.seed
        assert "dev" not in {data for stage in recipe.stages for data in stage.manifests}


@pytest.mark.parametrize("name", DIFFERS)
def test_an_ablation_changes_what_it_says_and_nothing_else(name: str) -> None:
    found = {path for path in differences(load("whole"), load(name)) if path.split(".")[-1] not in CONTROLS}
    assert found - EVERY_FILE == DIFFERS[name]


def test_two_that_are_compared_differ_in_one_thing() -> None:
    found = set(differences(load("inventing"), load("inventing-presence")))
    assert found - EVERY_FILE == {"rewards.weights.grounded", "rewards.weights.presence"}
    found = set(differences(load("presence"), load("without-format")))
    assert found - EVERY_FILE == {"rewards.weights.correct", "rewards.weights.presence"}
    found = set(differences(load("mgrd-inventing"), load("mgrd-ungrounded")))
    assert found - EVERY_FILE == {"stages.mgrd.min_supported_share"}


def test_a_job_goes_on_behind_all_that_it_has_in_common_with_one_before_it(out: Path) -> None:
    job = folder_of(out, "whole", 17) / "whole-1"
    for name, after, kinds in (("window", "2-mgrd", ["rl", "eval"]), ("without-mgrd", "0-sft", ["rl", "eval"]),
                               ("mgrd-incoherent", "0-sft", ["mgrd", "eval"])):  # fmt: skip
        recipe = recipe_of(out, name, 17)
        assert recipe["model"]["path"] == str(job / "checkpoints" / after / "step-00000008/hf")
        assert recipe["data"] == {split: str(job / f"data/{split}.jsonl") for split in ("train", "eval")}
        assert [stage["type"] for stage in recipe["stages"]] == kinds and "probe" not in recipe
    with pytest.raises(FileNotFoundError, match="no checkpoint of sft of whole, seed 18"):
        recipe_of(out, "without-mgrd", 18)
    assert origins()["rounds"] == ("whole", 1) and origins()["mgrd-inventing"] == ("inventing", 1)
    assert set(JOBS) - origins().keys() == {"whole", "presence", "inventing", "reasoning", "self-cognition"}


@pytest.mark.parametrize("choose", [False, True])
@pytest.mark.parametrize("name", JOBS)
def test_what_is_submitted_is_a_recipe_and_asks_one_split_alone(name: str, choose: bool, out: Path) -> None:
    recipe = load_recipe(yaml.safe_dump(recipe_of(out, name, 17, choose)))
    assert recipe.seed == 17 and Path(recipe.output) == folder_of(out, name, 17, choose)
    asked = {data for stage in recipe.stages if stage.type == "eval" for data in stage.manifests}
    assert asked == {"dev" if choose else "eval"}
    learned = {data for stage in recipe.stages if stage.type != "eval" for data in stage.manifests}
    assert learned <= {"cold_start", "train"}


def test_jobs_that_begin_alike_stand_together_and_behind_their_origin() -> None:
    begins = [origins().get(name, (name, 0)) for name in JOBS]
    runs = [one for one, before in zip_longest(begins, [None, *begins[:-1]]) if one != before]
    assert len(runs) == len(set(runs))
    assert with_origins(["window"]) == ["whole", "window"]
    assert with_origins(["inventing-presence", "self-cognition"]) == [
        "inventing", "inventing-presence", "self-cognition"
    ]  # fmt: skip
    assert with_origins(JOBS) == list(JOBS)


def test_a_job_that_was_stopped_has_no_report_and_is_run_again(out: Path) -> None:
    (folder_of(out, "window", 17) / "window-1").mkdir(parents=True)
    assert job_folder(out, "window", 17) is None
    later = folder_of(out, "window", 17) / "window-2"
    later.mkdir()
    later.joinpath("report.json").write_text(json.dumps({}))
    assert job_folder(out, "window", 17) == later


def test_a_job_whose_recipe_has_changed_is_another(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks = {mark_of(name) for name in JOBS}
    assert len(marks) == len(JOBS)
    changed = load("whole")
    changed["stages"][0]["tune"]["steps"] += 1
    monkeypatch.setattr(paper, "load", lambda name: changed)
    assert mark_of.__wrapped__("whole") not in marks


def test_a_mesh_that_a_killed_run_left_is_stopped_before_another_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    left = [NoMesh(tmp_path)]

    def stop(folder: Path) -> list[int]:
        if left and not done:
            raise left.pop()
        done.append(f"stop {folder.name}")
        return []

    monkeypatch.setattr(control, "stop", stop)
    monkeypatch.setattr(control, "start_detached", lambda options, say: done.append("start"))
    monkeypatch.setattr(Mesh, "connect", lambda state: nullcontext())
    for _ in range(2):
        with mesh_of(tmp_path / "mesh"):
            done.append("jobs")
    once = ["start", "jobs", "stop mesh"]
    assert done == [*once, "stop mesh", *once]


def test_what_is_left_is_told_by_what_the_same_jobs_took() -> None:
    reports = {("whole", 17): report(0.9, 0.8, 20)}  # of six minutes
    assert minutes_left([("whole", 18), ("window", 18)], reports) == 12
    assert minutes_left([("whole", 18), ("window", 18)], reports, 2) == 6
    assert minutes_left([("whole", 17)], {}) is None


def test_each_job_is_handed_out_once_and_none_before_the_one_that_it_goes_on_from() -> None:
    jobs = [(name, seed) for seed in (17, 18) for name in JOBS]
    agenda, ended, begun, early = Agenda(jobs, begin), set[tuple[str, int]](), [], []

    def work() -> None:
        job = agenda.take()
        while job:
            begun.append(job)
            if begin(job)[0] not in {job, *ended}:
                early.append(job)
            ended.add(job)
            agenda.ended(job)
            job = agenda.take(job)

    with ThreadPoolExecutor(3) as pool:
        for one in [pool.submit(work) for _ in range(3)]:
            one.result()
    assert sorted(begun) == sorted(jobs) and not agenda.left() and not early


def test_a_mesh_goes_on_with_a_job_that_begins_as_the_one_before() -> None:
    agenda = Agenda([(name, 17) for name in JOBS], begin)
    first, second = agenda.take(), agenda.take()
    assert (first, second) == (("whole", 17), ("presence", 17))  # all others of `whole` wait for it
    agenda.ended(("whole", 17))
    third = agenda.take(("whole", 17))
    assert third == ("by-ppo", 17)
    agenda.ended(("presence", 17))
    assert agenda.take(("by-ppo", 17)) == ("window", 17)
    assert agenda.take(("mgrd-incoherent", 17)) == ("without-mgrd", 17)


def test_who_waits_for_a_job_that_runs_is_woken_when_it_ends() -> None:
    agenda = Agenda([("whole", 17), ("window", 17)], begin)
    assert agenda.take() == ("whole", 17)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(agenda.take)
        assert agenda.left() == [("whole", 17), ("window", 17)]
        agenda.ended(("whole", 17))
        assert other.result() == ("window", 17)


def test_every_claim_is_told_from_jobs_that_are_run() -> None:
    assert {job for claim in CLAIMS for job in claim.jobs} <= set(JOBS)
    assert len({claim.words for claim in CLAIMS}) == len(CLAIMS)


def report(final: float, distilled: float, think: float) -> dict[str, Any]:
    shares = {"cold_start": 0.5, "final": 0.1}
    curve = [("final", budget, final - 0.3 + 0.1 * place) for place, budget in enumerate(BUDGETS)]
    return {
        "accuracy": {"cold_start": 0.6, "distilled": distilled, "final": final, "chance": 0.37}
        | dict.fromkeys(("final_without_audio", "final_shuffled_audio", "final_decisive_removed"), 0.35),
        "evaluations": {"cold_start": 0.6, "distilled": distilled, "final": final},
        "supported_share": {"cold_start": 0.5, "final": 0.9}, "surrogate_share": shares,
        "controls": [{"evaluation": "final", "control": "decisive_removed", "unanswered": 0.1}],
        "seconds": {"install": 60.0, "total": 420.0},
        "think_tokens": {"final": think}, "provenance": {"commit": "abc"},
        "extended": [{"evaluation": "final", "budget": None, "accuracy": final}],
        "rounds": [{"round": 1, "traces kept": 40, "scored": 0.25}, {"round": 2, "traces kept": 9}],
        "thinking": [
            {"evaluation": of, "budget": budget, "accuracy": accuracy}
            for of, budget, accuracy in [*curve, *(("cold_start", budget, 0.5) for budget in BUDGETS)]
        ],
    }  # fmt: skip


def test_a_claim_holds_by_its_mean_over_seeds_and_what_has_no_report_is_not_known() -> None:
    reports = {("whole", 1): report(0.9, 0.8, 20), ("whole", 2): report(0.84, 0.82, 20)}
    rows = {row.claim: row for row in judged(reports)}
    added = rows["RL adds to the distilled policy"]
    assert added.seen == pytest.approx([10, 2]) and added.holds
    assert rows["Longer thinking helps once it is grounded"].seen == pytest.approx([40, 40])
    assert rows["... and does not before"].holds
    unknown = rows["Self-distillation and DPO end denials"]
    assert unknown.holds is None and unknown.seen == []
    shown = page(list(rows.values()), reports)
    assert "| RL adds to the distilled policy | RL is the recipe's last step up | +6.0 points (+2.0 to +10.0)" in shown
    assert shown.count("not known") >= 5
    assert "2 jobs, seeds 1, 2, commit abc, from the shipped listener, 12 minutes of jobs" in shown
    assert "Of the final answers are none of the choices: decisive removed 10.0 %." in shown
    assert "points below chance (" in shown
    assert "| whole | 2 | 6.0 | 60.0 (60.0 to 60.0) | 81.0 (80.0 to 82.0) | 87.0 (84.0 to 90.0) | 35.0" in shown
    assert "| final | 57.0 (54.0 to 60.0) | 67.0" in shown and "| final, going on once |  |  |  |  | 87.0" in shown
    assert "| 1 | 40 | 25.0 % |" in shown and "| 2 | 9 |  |" in shown


def test_a_page_without_reports_says_of_every_claim_that_it_is_not_known() -> None:
    shown = page(judged({}), {})
    assert shown.count("no report | not known") == len(CLAIMS) and "##" not in shown
    assert spread([None]) == "" and spread([0.5]) == "50.0" and spread([0.5, None, 0.7]) == "60.0 (50.0 to 70.0)"
