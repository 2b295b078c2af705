"""The text of a recipe: YAML with limits, and the paths in it."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from earwitness.errors import InputError
from earwitness.recipe.load import RecipeError, absolute_paths, load_recipe, read_recipe, require_absolute
from earwitness.recipe.stages import RlStage, SftStage
from earwitness.recipe.yamltext import MAX_BYTES, MAX_NODES, read_yaml

sys.path.insert(0, str(Path(__file__).parent))

from recipe_kit import problems, recipe

pytestmark = pytest.mark.smoke


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "recipe: the recipe is empty; expected keys and values"),
        ("- a", "recipe: ['a'] is a list; expected keys and values"),
        ("a: 1\na: 2", "line 2, column 1: the key 'a' twice; expected each key once"),
        ("a: {b: 1, b: 2}", "line 1, column 11: the key 'b' twice"),
        ("a: [1", "line 1, column 6: while parsing a flow sequence, expected ',' or ']'"),
        ("? [a]\n: b", "line 1, column 3: a key that is not text"),
        ("!!python/object:os.system {}", "line 1, column 1: the tag 'tag:yaml.org,2002:python/object:os.system'"),
        ("a: !!python/name:os.system", "line 1, column 4: '' as 'tag:yaml.org,2002:python/name:os.system'"),
        ("a: 1\n---\nb: 2", "line 2, column 1: expected a single document in the stream, but found another document"),
        ("a: &x [*x]", "line 1, column 4: nested too deeply (or in itself)"),
        (b"a: \xff", "recipe: not UTF-8 (byte 3); expected text in UTF-8"),
        ("a: \x07", "recipe: not YAML (unacceptable character #x0007"),
    ],
)
def test_text_that_is_not_a_recipe_is_refused(text: str | bytes, problem: str) -> None:
    assert problems(text)[0].startswith(problem)


def test_a_recipe_of_10_megabytes_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    text = yaml.safe_dump(recipe()) + "#" * 10_000_000
    started = time.process_time()
    assert problems(text) == ["recipe: larger than 1024 KiB; expected at most 1024 KiB"]
    path = tmp_path / "big.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=r"big\.yaml: larger than 1024 KiB"):
        read_recipe(path)
    assert time.process_time() - started < 1.0


def test_aliases_may_repeat_but_not_explode() -> None:
    shared = RELATIVE.replace("optimizer: {", "optimizer: &rate {").replace(
        "}}}]", "}}}, {type: rl, steps: 1, optimizer: *rate}]"
    )
    sft, rl = load_recipe(shared).stages
    assert isinstance(sft, SftStage)
    assert isinstance(rl, RlStage)
    assert rl.optimizer == sft.tune.optimizer
    levels = [f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]" for i in range(9)]
    bomb = "\n".join(["a: &a [x, x, x, x, x, x, x, x, x]", *levels])
    assert "too many values once aliases are expanded" in problems(bomb)[0]


@pytest.mark.parametrize(
    "text", ["[" * 500_000, "a: {" * 100_000, "- " * 500_000, "a: [" + "1," * (MAX_NODES + 1) + "]"]
)
def test_depth_and_number_of_values_are_limited(text: str) -> None:
    assert len(text) <= MAX_BYTES
    assert "too deeply" in problems(text)[0] or "too many values" in problems(text)[0]


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"gone\.yaml: no such file; expected a recipe"):
        read_recipe(tmp_path / "gone.yaml")


def test_a_recipe_error_is_an_input_error() -> None:
    assert issubclass(RecipeError, InputError)


RELATIVE = """\
# what we try today
name: quick
output: runs/a   # beside this file
model: {path: ../models/m}
data:
  cold_start: 'sets/c.jsonl'
  train: s3://bucket/t.jsonl
  eval: /data/e.jsonl
stages: [{type: sft, tune: {steps: 1, optimizer: {learning_rate: 1e-3}}}]
"""


def test_relative_paths_become_absolute_and_the_rest_stays() -> None:
    assert absolute_paths(RELATIVE, "/home/me").decode() == RELATIVE.replace("runs/a", '"/home/me/runs/a"').replace(
        "../models/m", '"/home/models/m"'
    ).replace("'sets/c.jsonl'", '"/home/me/sets/c.jsonl"')


def test_only_absolute_paths_pass_the_servers_check() -> None:
    with pytest.raises(RecipeError) as caught:
        require_absolute(load_recipe(RELATIVE))
    assert [p.path for p in caught.value.problems] == ["output", "data.cold_start", "model.path"]
    require_absolute(load_recipe(absolute_paths(RELATIVE, "/home/me")))


def test_paths_of_a_recipe_with_mistakes_are_left_for_the_reader() -> None:
    for text in ("output: [a]\ndata: 5\nmodel:\n", "output: !!binary YQ==\n", "- a\n", "output: 5\n"):
        assert absolute_paths(text, "/home/me").decode() == text
    with pytest.raises(RecipeError, match="while parsing"):
        absolute_paths("output: [", "/home/me")


path_text = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Cn"]), min_size=1, max_size=30)


@settings(max_examples=100, deadline=None)
@given(path_text.filter(lambda p: ":" not in p and p.isprintable()), st.sampled_from(["plain", "'", '"', "|", ">"]))
@example("0E0", "plain")
@example("0E0", "'")
def test_any_path_in_any_quoting_is_resolved_once(path: str, style: str) -> None:
    text = yaml.dump({"output": path, "z": 1}, allow_unicode=True, default_style=None if style == "plain" else style)
    once = absolute_paths(text, "/base")
    if not isinstance(read_yaml(text)["output"], str):  # a number to YAML 1.2, as 0E0 is, which PyYAML writes unquoted
        assert once.decode() == text
        return
    loaded = yaml.safe_load(once)
    assert loaded["output"].startswith("/")
    assert loaded["z"] == yaml.safe_load(text)["z"]
    assert absolute_paths(once, "/other") == once


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "output", "model", "toy", "data", "probe", "stages", "type", "tune", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["name", "model", "data", "probe", "rewards", "stages", "x"]), documents, max_size=4
    )
)
def test_any_document_is_a_recipe_or_a_recipe_error(change: dict[str, Any]) -> None:
    try:
        load_recipe(json.dumps(recipe() | change))
    except RecipeError as error:
        assert all(p.path and p.what and p.expected for p in error.problems)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=60))
def test_any_text_is_a_recipe_or_a_recipe_error(text: str | bytes) -> None:
    with pytest.raises(RecipeError):
        load_recipe(text)


def test_a_stage_whose_type_is_not_a_name_is_a_mistake_like_any_other() -> None:
    with pytest.raises(RecipeError, match=r"stages\[0\]"):
        load_recipe(json.dumps(recipe() | {"stages": [{"type": [], "name": None}]}))
