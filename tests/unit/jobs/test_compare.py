"""Jobs beside each other: pairs, intervals, settings, and the page."""

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from earwitness import artifacts
from earwitness.cli.commands import app
from earwitness.errors import InputError
from earwitness.jobs.report.compare import ALL, differences, read_run, settings, steps_from, steps_to
from earwitness.jobs.report.compare_page import render_comparison
from earwitness.jobs.report.figures import Evaluation, Milestones, figures
from earwitness.jobs.report.provenance import checksum, commit, provenance
from earwitness.recipe.load import read_recipe
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

STEPS = {(1, "rl", "train"): {1: {"loss.policy": 0.5, "kind.pitch": 0.5}, 2: {"loss.policy": 0.25, "kind.pitch": 0.75}}}


def folder_of(folder: Path, right: list[bool], question: str = "Up?", **config: object) -> str:
    """A job's folder with an evaluation in which prompts were answered so."""
    groups = []
    for number, correct in enumerate(right):
        prompt = wire.Prompt(
            id=f"p{number}", kind=f"k{number % 2}", question=question, answer="up", audio_uri="/no.wav"
        )
        group = wire.Group(task=wire.GroupTask(prompt=prompt, ordinal=number))
        group.trajectories.add(token_ids=[1], text=f"<b>{folder.name}</b>", reward=wire.Reward(correct=correct))
        groups.append(group)
    final = Evaluation("after", groups, [9], "samples/after.jsonl")
    report = {
        **figures(Milestones(final=final), [], {}, None, 1.0),
        "samples": {"cold_start": "", "final": final.file},
        "provenance": provenance({}),
        "job": {"job_id": folder.name},
        "config": {"seed": 1, "stages": [{"type": "rl"}], **config},
    }
    artifacts.write_json(str(folder / "report.json"), report)
    artifacts.write_groups(str(folder / final.file), groups)
    artifacts.write_text(str(folder / "steps.jsonl"), steps_to(STEPS))
    return str(folder)


def test_the_same_prompts_are_paired(tmp_path: Path) -> None:
    first = read_run(folder_of(tmp_path / "first", [True, False, False, True] * 10))
    other = read_run(folder_of(tmp_path / "other", [True, True, False, True] * 10))
    rows = {of.kind: of for of in differences(first, other)}
    assert list(rows) == [ALL, "k0", "k1"]
    assert (rows[ALL].n, rows[ALL].first, rows[ALL].other, rows[ALL].gain) == (40, 0.5, 0.75, 0.25)
    assert 0 < rows[ALL].low < 0.25 < rows[ALL].high < 0.5
    assert (rows["k0"].gain, rows["k0"].low, rows["k0"].high) == (0, 0, 0)
    assert (rows["k1"].n, rows["k1"].gain) == (20, 0.5)
    back = {of.kind: of for of in differences(other, first)}
    assert back[ALL].gain == -0.25


def test_prompts_that_ask_something_else_are_not_paired(tmp_path: Path) -> None:
    """Data made with another seed has the same ids."""
    first = read_run(folder_of(tmp_path / "first", [True] * 4))
    other = read_run(folder_of(tmp_path / "other", [True] * 4, question="Down?"))
    assert differences(first, other) == []
    assert "no clip that both jobs were asked about" in render_comparison([first, other])


def test_settings_that_differ_are_named(tmp_path: Path) -> None:
    first = read_run(folder_of(tmp_path / "first", [True], seed=1))
    other = read_run(folder_of(tmp_path / "other", [True], seed=2, stages=[{"type": "rl", "steps": 3}]))
    assert settings([first, other]) == {"recipe.seed": [1, 2], "recipe.stages.0.steps": [None, 3]}
    assert settings([first, first]) == {}


def test_steps_are_kept_as_they_were() -> None:
    assert steps_from(steps_to(STEPS)) == STEPS
    assert steps_from("") == {}


def test_the_page_has_curves_over_each_other_and_clips_side_by_side(tmp_path: Path) -> None:
    runs = [read_run(folder_of(tmp_path / name, [True, False])) for name in ("first", "other")]
    page = render_comparison(runs)
    assert page.count("<polyline") == 2 and "Policy and value loss: policy" in page
    assert "&lt;b&gt;first&lt;/b&gt;" in page and "<b>first</b>" not in page
    assert page.count('<article class="card clip">') == 2
    (tmp_path / "other/samples/after.jsonl").unlink()
    assert '<article class="card clip">' not in render_comparison([read_run(run.folder) for run in runs])


def test_the_command_compares_folders_without_a_mesh(tmp_path: Path) -> None:
    names = [folder_of(tmp_path / "first", [True, False]), folder_of(tmp_path / "other", [True, True], seed=2)]
    told = CliRunner().invoke(app, ["compare", *names])
    assert told.exit_code == 0 and "other less first" in told.output and "recipe.seed: 1 | 2" in told.output
    found = json.loads(CliRunner().invoke(app, ["compare", "--json", *names]).stdout)
    assert found["differences"]["other"][0]["gain"] == 0.5
    alone = CliRunner().invoke(app, ["compare", names[0]])
    assert alone.exit_code == 1 and "two or more" in alone.output


@pytest.mark.parametrize(
    ("content", "words"),
    [("{", "cannot be read"), ("[]", "has no"), ('{"accuracy": {}}', "has no 'prompts'"),
     ('{"prompts": {"final": null}}', "no evaluation")],
)  # fmt: skip
def test_a_report_that_is_none_is_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "report.json").write_text(content)
    with pytest.raises(InputError, match=words):
        read_run(str(tmp_path))
    with pytest.raises(InputError, match="cannot be read"):
        read_run(str(tmp_path / "nothing"))


def test_provenance_names_commit_and_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data.jsonl").write_text("abc")
    found = provenance({"train": str(tmp_path / "data.jsonl"), "gone": str(tmp_path / "gone")})
    # SHA-256 of "abc", from FIPS 180-2.
    assert found["data"]["train"] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert found["data"]["gone"] == checksum(str(tmp_path)) == ""
    assert found["versions"]["numpy"] and found["machine"]["cores"] >= 1
    monkeypatch.setenv("EW_COMMIT", "abc123")
    assert provenance({})["commit"] == "abc123"


def test_a_commit_with_changes_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EW_COMMIT", raising=False)
    assert commit(tmp_path) == ""
    git = ["git", "-C", str(tmp_path), "-c", "user.name=n", "-c", "user.email=e@x"]
    (tmp_path / "file").write_text("one")
    for words in (["init", "-q"], ["add", "file"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True)
    clean = commit(tmp_path)
    assert len(clean) == 40
    (tmp_path / "file").write_text("two")
    assert commit(tmp_path) == f"{clean}+"


def test_the_recipe_in_a_report_is_the_recipe() -> None:
    """What `reproduce` submits: written out with every default, and read again."""
    from earwitness.jobs.record import recipe_yaml
    from earwitness.recipe.load import load_recipe

    for file in sorted((Path(__file__).parents[3] / "recipes").glob("*.yaml")):
        recipe = read_recipe(file)
        assert load_recipe(recipe_yaml(recipe)) == recipe
