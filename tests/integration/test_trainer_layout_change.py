"""A checkpoint written at one layout of the ranks is taken up at another."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from layout_change_worker import continue_at
from trainer_kit import recipe_of, write_data, write_recipe

from tests.integration.process_kit import run_ranks
from trainer.checkpoint.pieces import Pieces
from trainer.model.toy import make_toy

LAYOUTS = {"tensor": (2, 1, False), "pipeline": (1, 2, False), "data": (1, 1, False), "distributed": (1, 1, True)}
"""Of two ranks: tensor and pipeline parallel sizes, distributed optimizer."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layout-change")
    manifest = write_data(folder)
    recipe = write_recipe(folder, manifest)
    make_toy(str(folder / "model"), recipe_of(recipe).model.toy, ["How many beeps? one two I hear a beep."], 1)
    told = {"recipe": recipe.decode(), "model": str(folder / "model"), "manifest": manifest}
    continue_at(told, 1, 1, False, "", str(folder / "one"))  # two updates by one rank
    # the same, with only the first update done: what the two ranks take up
    shutil.copytree(folder / "one" / "step-00000001", folder / "begun" / "step-00000001")
    layouts = [[*sizes, str(folder / "begun"), str(folder / name)] for name, sizes in LAYOUTS.items()]
    run_ranks(2, "layout_change_worker.py", json.dumps({**told, "layouts": layouts}))
    return told, folder


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_taken_up_at_another_layout_and_back_it_is_the_same_to_the_bit(settings, layout):
    """One rank wrote, two ranks took it up and wrote, one rank takes that up and writes: what was written at first.

    And the update after it is the one that the single rank made.
    """
    told, folder = settings
    back = folder / f"{layout}-back"
    first = folder / f"{layout}-first"
    shutil.copytree(folder / layout / "step-00000001", first / "step-00000001")
    continue_at(told, 1, 1, False, str(first), str(back))
    with Pieces(folder / "one" / "step-00000001") as one, Pieces(back / "step-00000001") as other:
        names = sorted(one._where)
        assert names == sorted(other._where) and len(names) > 100
        assert [name for name in names if not torch.equal(one.own(name, 0), other.own(name, 0))] == []
        assert one.own("policy/updates", 0) == other.own("policy/updates", 0) == 1
    second = folder / f"{layout}-second"
    shutil.copytree(folder / layout / "step-00000002", second / "step-00000002")
    continue_at(told, 1, 1, False, str(second), str(folder / f"{layout}-end"))
    with Pieces(folder / "one" / "step-00000002") as one, Pieces(folder / f"{layout}-end" / "step-00000002") as other:
        gaps = {name: float((one.own(name, 0).float() - other.own(name, 0).float()).abs().max()) for name in names}
        assert {name: gap for name, gap in gaps.items() if gap > 1e-6} == {}
