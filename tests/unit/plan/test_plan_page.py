"""docs/plan.md shows what the command says of the recipes today."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from earwitness.cli.commands import app

ROOT = Path(__file__).parents[3]
RECIPES = ROOT / "recipes"
RECIPE = RECIPES / "step-audio-r1-33b.yaml"
PAGE = (ROOT / "docs" / "plan.md").read_text()


SMALLER = {
    "3B": "qwen2.5-omni-3b",
    "7B": "qwen2.5-omni-7b",
    "3B, LoRA": "qwen2.5-omni-3b-lora",
    "7B, LoRA": "qwen2.5-omni-7b-lora",
    "2-mini": "step-audio-2-mini",
    "all weights": "qwen2.5-omni-7b",
    "LoRA": "qwen2.5-omni-7b-lora",
}
"""Recipe by what the head of a column calls it; the last two with another model in its place."""
FLAMINGO = "models/audio-flamingo-3-hf"


def planned(gpus: int, gpu: str, *options: str, recipe: Path = RECIPE) -> str:
    return CliRunner().invoke(app, ["plan", str(recipe), "--gpus", str(gpus), "--gpu", gpu, *options]).output


def rows_of(heads: tuple[str, ...]) -> list[list[str]]:
    """The rows of the table about these recipes, cell by cell."""
    columns = "".join(f" {name}: {kind} |" for name in heads for kind in ("sft, mgrd", "rloo"))
    _, _, body = PAGE.partition(f"| GPUs |{columns}\n|{'---|' * (1 + 2 * len(heads))}\n")
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in body.split("\n\n")[0].splitlines()]


def cell(stage: dict[str, Any]) -> str:
    """The fastest layout of a stage, or the cheapest change that would make one fit."""
    if not stage["fits"]:
        return f"no: {stage['changes'][0]['change']}"
    best = stage["fits"][0]
    layout = f"tp {best['tensor']} x pp {best['pipeline']} x dp {best['data']}"
    return f"{layout}: {best['memory']['total'] / 1e9:.0f} GB, {best['tokens']:,.0f} tokens/s"


@pytest.mark.parametrize("gpu", ["a100", "h100", "h200"])
@pytest.mark.parametrize("gpus", [8, 16, 32, 64])
def test_the_table_of_the_33b_recipe_is_what_the_command_says(gpus: int, gpu: str) -> None:
    cells: dict[str, list[str]] = {}
    for stage in json.loads(planned(gpus, gpu, "--json")):
        cells.setdefault(stage["stage"].split()[1], []).append(cell(stage))
    assert {kind: len(found) for kind, found in cells.items()} == {"sft": 1, "mgrd": 2, "ppo": 3, "dpo": 1}
    (tuned,), (ppo,), (dpo,) = (set(found) for found in (cells["sft"] + cells["mgrd"], cells["ppo"], cells["dpo"]))
    assert f"| {gpus} x {gpu.upper()} | {tuned} | {ppo} | {dpo} |" in PAGE.splitlines()


@pytest.mark.parametrize("heads", [("3B", "7B"), ("3B, LoRA", "7B, LoRA", "2-mini"), ("all weights", "LoRA")])
def test_the_tables_of_smaller_models_are_what_the_command_says(heads: tuple[str, ...], tmp_path: Path) -> None:
    rows = rows_of(heads)
    assert rows
    for gpus, *cells in rows:
        number, gpu = gpus.lower().split(" x ")
        for name, tuned, rloo in zip(heads, cells[::2], cells[1::2], strict=True):
            recipe = RECIPES / f"{SMALLER[name]}.yaml"
            if heads[0] == "all weights":
                written = yaml.safe_load(recipe.read_text())
                written["model"]["path"] = FLAMINGO
                recipe = tmp_path / recipe.name
                recipe.write_text(yaml.safe_dump(written))
            for stage in json.loads(planned(int(number), gpu, "--json", recipe=recipe)):
                said = rloo if stage["stage"].endswith("rloo") else tuned
                assert agrees(said, cell(stage), stage), (gpus, name, stage["stage"])


def agrees(said: str, fastest: str, stage: dict[str, Any]) -> bool:
    """These tables leave out what is 1 of a layout, the layout that tuning has, too, and most that does not fit."""
    if stage["fits"]:
        return fastest.replace(" x pp 1", "").removeprefix("tp 1 x ").endswith(said)
    return said in (fastest, "the same", f"no ({stage['tightest']['memory']['total'] / 1e9:.0f} GB)")


def test_what_the_page_quotes_is_what_the_command_prints() -> None:
    (quoted,) = re.findall(r"```\n(stage 3 ppo.*?)```", PAGE, re.DOTALL)
    said = planned(16, "h200") + planned(8, "h200")
    assert [block for block in quoted.strip().split("\n\n") if block not in said] == []
