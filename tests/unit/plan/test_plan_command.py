import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from earwitness.cli.commands import app
from earwitness.errors import InputError
from earwitness.plan.work import architecture_of, stages_of
from earwitness.recipe.load import load_recipe
from earwitness.recipe.schema import ModelConfig

RECIPE = Path(__file__).parents[3] / "recipes" / "step-audio-r1-33b-grounded.yaml"


def run(*arguments: str):
    return CliRunner().invoke(app, ["plan", str(RECIPE), *arguments])


def test_it_shows_what_fits_and_marks_the_recipes_own_layout():
    done = run("--gpus", "64", "--gpu", "h100")
    assert done.exit_code == 0, done.output
    assert "stage 0 sft: 33.5B parameters, 10,240 tokens a sequence" in done.output
    (own,) = {line.split("  ")[0] for line in done.output.splitlines() if line.startswith("* tp")}
    assert own == "* tp 8 x pp 2 x dp 4"
    for part in ("weights", "grads", "Adam", "activ.", "logits", "critic", "tokens/s"):
        assert part in done.output


@pytest.mark.parametrize(("size", "gpus"), [("3b", "1"), ("7b", "4")])
def test_qwen2_5_omni_is_known_by_name_and_fits(size: str, gpus: str):
    recipe = RECIPE.with_name(f"qwen2.5-omni-{size}.yaml")
    done = CliRunner().invoke(app, ["plan", str(recipe), "--gpus", gpus, "--gpu", "h100"])
    assert done.exit_code == 0, done.output
    assert done.output.count("\n* tp") == 4, "the recipe's own layout, for each stage that trains"
    assert "2,934 tokens a sequence" in done.output  # 2,048 of a response, 749 of a clip, 137 of a question


def test_it_refuses_what_cannot_fit_and_says_what_would():
    done = run("--gpus", "8", "--gpu", "h200")
    assert done.exit_code == 1
    assert "does not fit: the best layout, tp 8 x pp 1 x dp 1, needs" in done.output
    assert "cheapest change that fits: algorithm: rloo" in done.output


def test_json_has_every_layout_in_bytes():
    done = run("--gpus", "16", "--gpu", "h200", "--json")
    stages = json.loads(done.output)
    assert [stage["stage"] for stage in stages] == ["0 sft", "1 mgrd", "2 ppo"]
    for stage in stages:
        for fit in stage["fits"]:
            parts = fit["memory"]
            assert parts["total"] == pytest.approx(sum(value for part, value in parts.items() if part != "total"))
            assert parts["total"] <= stage["usable_bytes"] and fit["tensor"] * fit["pipeline"] * fit["data"] == 16


def test_without_a_number_of_gpus_each_size_shows_its_fastest_layout():
    compared = json.loads(run("--gpu", "h200", "--json").output)
    assert [size["gpus"] for size in compared] == [8, 16, 32, 64]
    for size in compared:
        alone = run("--gpus", str(size["gpus"]), "--gpu", "h200", "--json")
        assert size["stages"] == json.loads(alone.output)
    table = run("--gpu", "h200").output
    best = compared[-1]["stages"][0]["fits"][0]
    assert f"{best['tokens']:,.0f}" in table
    assert "does not fit" in table


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--gpus", "8", "--gpu", "b200"), "--gpu: 'b200' is not known; expected a100, h100, h200"),
        (("--gpus", "8", "--tokens", "70000"), "--tokens: 70000; expected at most 65536"),
    ],
)
def test_mistakes_are_named(arguments, words):
    done = run(*arguments)
    assert done.exit_code == 1 and words in done.output.replace("\n", " ")


def test_models_are_known_by_their_directory_or_their_name(tmp_path):
    assert architecture_of(ModelConfig(path="/models/Step-Audio-R1")).decoder.layers == 64
    assert architecture_of(ModelConfig(path="file:///m/Step-Audio-2-mini")).decoder.layers == 28
    (tmp_path / "config.json").write_text(
        (Path("earwitness/families/published/qwen2-audio-7b.json")).read_text(encoding="utf-8")
    )
    assert architecture_of(ModelConfig(path=str(tmp_path))).family.model_type == "qwen2_audio"
    with pytest.raises(InputError, match=r"model\.path: .* is not here"):
        architecture_of(ModelConfig(path="/models/other"))


def test_the_work_of_each_kind_of_stage():
    recipe = yaml.safe_load(RECIPE.read_text())
    for stage in recipe["stages"][:2]:
        stage["tune"] |= {"micro_batch_size": 3, "micro_batch_tokens": 40_000}
    sft, mgrd, ppo = stages_of(load_recipe(yaml.safe_dump(recipe).encode()), None)
    assert (sft.sequence, sft.rows, sft.tokens, sft.clips, sft.critic, sft.rl) == (10_240, 3, 30_720, 3, False, False)
    assert (mgrd.batch, mgrd.responses) == (64, 9_728)
    assert (ppo.batch, ppo.updates, ppo.rows, ppo.clips, ppo.critic, ppo.rl) == (256, 2, 1, 1, True, True)
    assert stages_of(load_recipe(RECIPE.read_bytes()), 5_120)[0].rows == 2


def test_every_stage_that_samples_counts_for_the_longest_sequence():
    recipe = yaml.safe_load(RECIPE.read_bytes())
    tune = recipe["stages"][0]["tune"]
    dpo = {"type": "dpo", "data": "train", "sampling": {"max_tokens": 1_234}, "tune": tune}
    recipe["stages"] = [recipe["stages"][0], dpo]
    assert {work.sequence for work in stages_of(load_recipe(yaml.safe_dump(recipe).encode()), None)} == {512 + 1_234}
