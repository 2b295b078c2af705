"""docs/plan.md shows what the command says of the 33B recipe today."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from earwitness.cli.commands import app

ROOT = Path(__file__).parents[3]
RECIPE = ROOT / "recipes" / "step-audio-r1-33b.yaml"
PAGE = (ROOT / "docs" / "plan.md").read_text()


def planned(gpus: int, gpu: str, *options: str) -> str:
    return CliRunner().invoke(app, ["plan", str(RECIPE), "--gpus", str(gpus), "--gpu", gpu, *options]).output


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


def test_what_the_page_quotes_is_what_the_command_prints() -> None:
    (quoted,) = re.findall(r"```\n(stage 3 ppo.*?)```", PAGE, re.DOTALL)
    said = planned(16, "h200") + planned(8, "h200")
    assert [block for block in quoted.strip().split("\n\n") if block not in said] == []
