"""A recipe to change, and what is wrong with it."""

from typing import Any

import pytest
import yaml

from earwitness.recipe.load import RecipeError, load_recipe

TUNE = {"steps": 10, "optimizer": {"learning_rate": 1e-3}}
SFT: dict[str, Any] = {"type": "sft", "tune": TUNE}
EVAL: dict[str, Any] = {"type": "eval", "name": "cold"}
RL: dict[str, Any] = {"type": "rl", "steps": 5, "optimizer": {"learning_rate": 1e-4}}
MGRD: dict[str, Any] = {"type": "mgrd", "tune": TUNE}


def recipe(*stages: Any, **change: Any) -> dict[str, Any]:
    base = {"name": "quick", "output": "/runs/a", "model": {"toy": {}}, "probe": {}, "stages": [SFT, *stages]}
    return base | change


def problems(document: Any) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        load_recipe(document if isinstance(document, str | bytes) else yaml.safe_dump(document))
    return [str(p) for p in caught.value.problems]
