"""The jobs behind the table of the paper's claims are recipes that load, and the table says what reports say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.paper import THINK_BUDGETS, VARIANTS, recipe_of, with_origins
from benchmarks.paper_claims import CLAIMS, judged
from benchmarks.paper_page import page, spread
from earwitness.recipe import load_recipe


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder where the jobs that others go on from have left their checkpoints."""
    for job, stages in (("whole-17/whole-1", ("0-sft", "2-mgrd")), ("inventing-17/inventing-1", ("0-sft",))):
        for stage in stages:
            (tmp_path / job / "checkpoints" / stage / "step-00000008/hf").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "whole"])
def test_every_variant_is_a_recipe_that_differs_from_the_whole(name: str, out: Path) -> None:
    recipe, whole = (load_recipe(yaml.safe_dump(recipe_of(out, of, 17))) for of in (name, "whole"))
    assert recipe.seed == 17 and recipe.output.endswith(f"{name}-17")
    same = {"name": "", "output": ""}
    assert recipe.model_copy(update=same) != whole.model_copy(update=same)


def test_a_variant_goes_on_behind_the_evaluation_of_the_stage_that_it_shares(out: Path) -> None:
    job = out / "whole-17/whole-1"
    for name, after, kinds in (("window", "2-mgrd", ["rl", "eval"]), ("without_mgrd", "0-sft", ["rl", "eval"]),
                               ("mgrd_incoherent", "0-sft", ["mgrd", "eval", "rl", "eval"])):  # fmt: skip
        recipe = recipe_of(out, name, 17)
        assert recipe["model"]["path"] == str(job / "checkpoints" / after / "step-00000008/hf")
        assert recipe["data"] == {split: str(job / f"data/{split}.jsonl") for split in ("train", "eval")}
        assert [stage["type"] for stage in recipe["stages"]] == kinds and "probe" not in recipe
    with pytest.raises(FileNotFoundError, match=r"no .*-sft/step"):
        recipe_of(out, "without_mgrd", 18)


def test_a_job_that_others_go_on_from_is_run_before_them() -> None:
    assert with_origins(["window"]) == ["whole", "window"]
    assert with_origins(["inventing_presence", "self_cognition"]) == [
        "inventing", "inventing_presence", "self_cognition"
    ]  # fmt: skip
    assert with_origins(VARIANTS) == list(VARIANTS)


def test_every_claim_is_told_from_jobs_that_are_run() -> None:
    assert {job for claim in CLAIMS for job in claim.jobs} <= set(VARIANTS)
    assert len({claim.words for claim in CLAIMS}) == len(CLAIMS)


def report(final: float, distilled: float, think: float) -> dict[str, Any]:
    shares = {"cold_start": 0.5, "final": 0.1}
    curve = [("final", budget, final - 0.3 + 0.1 * place) for place, budget in enumerate(THINK_BUDGETS)]
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
            for of, budget, accuracy in [*curve, *(("cold_start", budget, 0.5) for budget in THINK_BUDGETS)]
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
    assert "2 jobs, seeds 1, 2, commit abc, from the shipped listener, 12 minutes in all" in shown
    assert "Of the final answers are none of the choices: decisive removed 10.0 %." in shown
    assert "points below chance (" in shown
    assert "| whole | 2 | 6.0 | 60.0 (60.0 to 60.0) | 81.0 (80.0 to 82.0) | 87.0 (84.0 to 90.0) | 35.0" in shown
    assert "| final | 57.0 (54.0 to 60.0) | 67.0" in shown and "| final, going on once |  |  |  |  | 87.0" in shown
    assert "| 1 | 40 | 25.0 % |" in shown and "| 2 | 9 |  |" in shown


def test_a_page_without_reports_says_of_every_claim_that_it_is_not_known() -> None:
    shown = page(judged({}), {})
    assert shown.count("no report | not known") == len(CLAIMS) and "##" not in shown
    assert spread([None]) == "" and spread([0.5]) == "50.0" and spread([0.5, None, 0.7]) == "60.0 (50.0 to 70.0)"
