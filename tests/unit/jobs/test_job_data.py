"""What a job's data must hold before it is accepted."""

from pathlib import Path

import pytest

from earwitness.errors import InputError
from earwitness.jobs.data import check_data
from earwitness.manifest import Example, write_manifest
from earwitness.recipe.load import load_recipe
from earwitness.wire.trajectory.v1 import trajectory_pb2


def data(folder: Path, *reasonings: str | None) -> str:
    examples = [
        Example(
            trajectory_pb2.Prompt(id=f"q{n}", question="?", answer="yes", verifier=trajectory_pb2.VERIFIER_TEXT),
            reasoning,
            "yes",
        )
        for n, reasoning in enumerate(reasonings)
    ]
    write_manifest(str(folder / "cold_start.jsonl"), examples)
    return str(folder / "cold_start.jsonl")


def recipe(uri: str):
    return load_recipe(f"""
name: small
output: /out
model: {{toy: {{}}}}
data: {{cold_start: {uri}}}
stages:
  - {{type: sft, data: cold_start, tune: {{steps: 2, optimizer: {{learning_rate: 0.001}}}}}}
""")


def test_an_empty_think_block_is_the_format_of_an_answer_without_reasoning(tmp_path: Path) -> None:
    given = recipe(data(tmp_path, "I hear it.", ""))
    check_data(given, given.data)
    with pytest.raises(InputError, match="'q1' has no reasoning"):
        check_data(recipe(data(tmp_path, "I hear it.", None)), given.data)


def test_every_recipe_of_ours_is_valid() -> None:
    folder = Path(__file__).parents[3] / "recipes"
    loaded = {path.stem: load_recipe(path.read_bytes()) for path in folder.glob("*.yaml")}
    paper = loaded["step-audio-r1-33b"]
    assert paper.rewards.weights == {"correct": 0.8, "presence": 0.2}
    assert [stage.type for stage in paper.stages] == ["sft", "rl", "mgrd", "rl", "mgrd", "rl", "dpo", "eval"]
    mixed = [{part.name: part.weight for part in stage.parts} for stage in paper.stages if stage.type == "rl"]
    assert mixed == [{"text": 1}, {"train": 3, "text": 2}, {"train": 3, "text": 2}], "text and audio together"
    assert loaded["step-audio-r1-33b-grounded"].rewards.weights == {"correct": 0.8, "grounded": 0.2}
