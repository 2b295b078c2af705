"""Every number of a recipe has a highest value, and the memory of one process is no place for a job's output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter

from earwitness.recipe.load import RecipeError, load_recipe
from earwitness.recipe.recipe import Recipe

SCHEMA = TypeAdapter(Recipe).json_schema()


def numbers(node: Any, where: str = "") -> Iterator[tuple[str, dict]]:
    """Every place of the schema that takes a number."""
    if isinstance(node, list):
        for i, part in enumerate(node):
            yield from numbers(part, f"{where}[{i}]")
    elif isinstance(node, dict):
        if node.get("type") in ("integer", "number"):
            yield where, node
        for key, part in node.items():
            yield from numbers(part, f"{where}.{key}")


def test_every_number_has_a_highest_and_a_lowest_value() -> None:
    found = dict(numbers(SCHEMA))
    assert len(found) > 60
    upper, lower = ("maximum", "exclusiveMaximum"), ("minimum", "exclusiveMinimum")
    assert [w for w, n in found.items() if not any(k in n for k in upper)] == []
    assert [w for w, n in found.items() if not any(k in n for k in lower)] == []


RECIPE = """
name: bounds
output: {output}
model: {{toy: {{layers: {layers}, hidden_size: {width}, heads: 4}}}}
probe: {{train: {clips}}}
stages:
  - {{type: sft, tune: {{steps: 1, optimizer: {{learning_rate: 1.0e-3}}}}}}
  - type: rl
    steps: 4
    groups_per_step: {groups}
    sampling: {{samples: {samples}}}
    optimizer: {{learning_rate: 1.0e-4}}
    kl_coef: {kl}
"""
GOOD = {"output": "/out", "layers": 3, "width": 128, "clips": 100, "groups": 16, "samples": 8, "kl": 0.0}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"layers": 10**19}, "model.toy.layers"),
        ({"layers": 256, "width": 8192}, "model.toy"),
        ({"width": 65_540}, "model.toy.hidden_size"),
        ({"samples": 10**10}, "samples"),
        ({"samples": 257}, "samples"),
        ({"groups": 65_537}, "groups_per_step"),
        ({"groups": 2**63}, "groups_per_step"),
        ({"kl": 1000.0}, "kl_coef"),
        ({"clips": 10**10}, "probe.train"),
        ({"output": "memory://x"}, "output"),
    ],
)
def test_more_is_refused_with_the_field_and_what_would_be_right(change: dict, field: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(RECIPE.format(**{**GOOD, **change}))
    assert any(field in p.path for p in caught.value.problems), caught.value
    assert all(p.expected for p in caught.value.problems)


def test_the_same_recipe_within_the_bounds_is_read() -> None:
    load_recipe(RECIPE.format(**GOOD))
    load_recipe(RECIPE.format(**{**GOOD, "samples": 256, "groups": 4096, "kl": 100.0}))
