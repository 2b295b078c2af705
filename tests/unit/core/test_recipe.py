"""Recipes: what is accepted, and every mistake with its path, what is wrong and what would be right."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from earwitness.errors import InputError
from earwitness.recipe import RecipeError, RlStage, SftStage, load_recipe, read_recipe
from earwitness.recipe.load import absolute_paths, require_absolute
from earwitness.recipe.schema import ToyModel
from earwitness.recipe.yamltext import MAX_BYTES, MAX_NODES

pytestmark = pytest.mark.smoke

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


def test_a_recipe_with_every_stage_loads() -> None:
    loaded = load_recipe(yaml.safe_dump(recipe(EVAL, MGRD, RL)))
    assert [s.type for s in loaded.stages] == ["sft", "eval", "mgrd", "rl"]
    assert isinstance(loaded.stages[0], SftStage)
    assert isinstance(loaded.stages[3], RlStage)


def test_rewards_are_weights_and_the_words_of_older_recipes_mean_the_same() -> None:
    def rewards(**given: object) -> dict[str, float]:
        return load_recipe(yaml.safe_dump(recipe(rewards=given))).rewards.weights

    assert rewards() == rewards(reasoning_term="presence") == {"correct": 0.8, "presence": 0.2}
    assert rewards(correct=0.7, reasoning=0.3, reasoning_term="grounded") == {"correct": 0.7, "grounded": 0.3}
    assert rewards(weights={"correct": 0.5}) == {"correct": 0.5}
    known = "expected one of correct, presence, grounded, overlong"
    assert any(known in p for p in problems(recipe(rewards={"weights": {"brevity": 0.1}})))
    assert any(known in p for p in problems(recipe(rewards={"reasoning_term": "brevity"})))
    assert problems(recipe(rewards={"weights": {}}))[0].startswith("rewards.weights: empty")
    assert problems(recipe(rewards={"weights": {"correct": 1}, "reasoning": 0.2}))[0].startswith(
        "rewards.reasoning: un"
    )
    assert problems(recipe(rewards={"weights": {"correct": 2.0}}))[0].startswith("rewards.weights.correct: 2.0 is out")


def test_the_overlong_term_needs_its_buffer_and_the_buffer_its_term() -> None:
    weights = {"correct": 0.8, "presence": 0.2, "overlong": 0.5}
    given = {"weights": weights, "overlong_buffer_tokens": 24}
    assert load_recipe(yaml.safe_dump(recipe(rewards=given))).rewards.options() == {"overlong.buffer_tokens": 24.0}
    for wrong in ({"weights": weights}, {"overlong_buffer_tokens": 24}):
        assert problems(recipe(rewards=wrong))[0].startswith("rewards.overlong_buffer_tokens: ")


def test_keys_of_algorithm_and_loss_may_stand_in_the_stage_as_they_once_did() -> None:
    critic = {"critic_warmup_steps": 2, "gae_lambda": 0.9, "critic_optimizer": {"learning_rate": 1e-3}}
    clip = {"clip_high": 0.3, "dual_clip": 2.0}
    flat = RL | critic | clip | {"loss_mean": "sequence"}
    nested = RL | {
        "algorithm": {"type": "ppo", **critic},
        "loss": {"type": "clip", "mean": "sequence", **clip},
    }
    assert load_recipe(yaml.safe_dump(recipe(flat))) == load_recipe(yaml.safe_dump(recipe(nested)))
    for name in ("ppo", "rloo", "grpo", "reinforce++"):
        by_name, by_type = ({"algorithm": how} for how in (name, {"type": name}))
        assert load_recipe(yaml.safe_dump(recipe(RL | by_name))) == load_recipe(yaml.safe_dump(recipe(RL | by_type)))
    assert load_recipe(yaml.safe_dump(recipe(RL | {"algorithm": "reinforce++", "gamma": 0.9})))


def test_numbers_are_yaml_1_2() -> None:
    text = yaml.safe_dump(recipe()).replace("0.001", "1e-3").replace("quick", "on")
    loaded = load_recipe(text)
    assert loaded.stages[0].tune.optimizer.learning_rate == 1e-3  # type: ignore[union-attr]
    assert loaded.name == "on"


def test_json_is_a_recipe_too() -> None:
    assert load_recipe(json.dumps(recipe())) == load_recipe(yaml.safe_dump(recipe()))


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (recipe(nmae="x"), "nmae: unknown key; expected name (known: name, output, seed,"),
        (recipe(RL | {"optmizer": {}}), "stages[1].optmizer: unknown key; expected optimizer (known: type, data,"),
        (
            recipe(RL | {"optimizer": {"lr": 1e-4}}),
            "stages[1].optimizer.learning_rate: missing; expected a value: Peak",
        ),
        (recipe(RL | {"steps": "many"}), "stages[1].steps: 'many' is text; expected a whole number"),
        (recipe(RL | {"steps": "400"}), "stages[1].steps: '400' is text; expected a whole number"),
        (recipe(RL | {"steps": 2.5}), "stages[1].steps: 2.5 is a number; expected a whole number"),
        (recipe(RL | {"steps": True}), "stages[1].steps: True is true or false; expected a whole number"),
        (recipe(RL | {"steps": None}), "stages[1].steps: None is empty; expected a whole number"),
        (recipe(RL | {"steps": 0}), "stages[1].steps: 0 is out of range; expected at least 1"),
        (
            recipe(RL | {"algorithm": "dpo"}),
            "stages[1].algorithm: 'dpo' is not known; expected 'ppo', 'rloo', 'grpo' or 'reinforce++'",
        ),
        (
            recipe(RL | {"algorithm": {"type": "ppo", "whiten_advantages": 1}}),
            "stages[1].algorithm.whiten_advantages: 1 is a whole number; expected true or false",
        ),
        (
            recipe(RL | {"whiten_advantages": 1}),  # where it once stood
            "stages[1].algorithm.whiten_advantages: 1 is a whole number; expected true or false",
        ),
        (
            recipe(RL | {"algorithm": {"gae_lambda": 1.0}}),
            "stages[1].algorithm.type: missing; expected one of ppo, rloo, grpo, reinforce++",
        ),
        (
            recipe(RL | {"algorithm": {"type": "grpo", "gae_lambda": 1.0}}),
            "stages[1].algorithm.gae_lambda: only type ppo reads it; expected type: ppo, or to leave it out",
        ),
        (
            recipe(RL | {"algorithm": {"type": "rloo", "gamma": 1.0}}),
            "stages[1].algorithm.gamma: only type ppo or reinforce++ reads it; expected type: ppo or",
        ),
        (
            recipe(RL | {"algorithm": {"type": "ppo", "gea_lambda": 1.0}}),
            "stages[1].algorithm.gea_lambda: unknown key; expected gae_lambda (known: type, gamma, gae_lambda,",
        ),
        *(
            (
                recipe(RL | {"algorithm": algorithm, key: value}),
                f"stages[1].{key}: only algorithm ppo reads it; expected it inside algorithm, of type ppo; or none",
            )
            for algorithm in ("rloo", "grpo", "reinforce++")
            for key, value in (("critic_warmup_steps", 1), ("value_clip", 0.1), ("gae_lambda", 0.9))
        ),
        (
            recipe(RL | {"clip_low": 0.1, "loss": {"type": "clip", "clip_low": 0.2}}),
            "stages[1].clip_low: only loss clip or gspo reads it; expected it inside loss, of type clip or gspo",
        ),
        (
            recipe(RL | {"loss": "ppo"}),
            "stages[1].loss: 'ppo' is not known; expected 'clip', 'gspo' or 'cispo'",
        ),
        (
            recipe(RL | {"loss": {"type": "cispo", "dual_clip": 3.0}}),
            "stages[1].loss.dual_clip: only type clip reads it; expected type: clip, or to leave it out",
        ),
        (recipe(RL | {"loss": {"type": "clip", "mean": "row"}}), "stages[1].loss.mean: 'row' is not known; expected"),
        (recipe(RL | {"kl_coef": "big"}), "stages[1].kl_coef: 'big' is text; expected a number"),
        (recipe(RL | {"kl_coef": float("nan")}), "stages[1].kl_coef: nan is not finite; expected a finite number"),
        (recipe(RL | {"optimizer": 3}), "stages[1].optimizer: 3 is a whole number; expected keys and values"),
        (
            recipe({"type": "rlhf"}),
            "stages[1].type: unknown stage type 'rlhf'; expected rl (known: sft, mgrd, rl, dpo, eval)",
        ),
        (recipe({"type": 5}), "stages[1].type: unknown stage type '5'; expected one of sft, mgrd, rl, dpo, eval"),
        (recipe({"steps": 3}), "stages[1].type: missing; expected one of sft, mgrd, rl, dpo, eval"),
        (recipe("rl"), "stages[1]: 'rl' is text; expected keys and values"),
        (recipe(stages=[]), "stages: 0 items; expected at least 1"),
        (recipe(stages={"a": 1}), "stages: {'a': 1} is keys and values; expected a list"),
        (recipe(name="Über"), "name: 'Über' cannot be a name; expected lower-case letters, digits, - and _"),
        (recipe(name=5), "name: 5 is a whole number; expected text (quote it if it looks like a number)"),
        (recipe(output=""), "output: empty; expected text"),
        (
            recipe(output="htp://x"),
            "output: 'htp://x': this kind of URI is not supported; expected a path, or one of file",
        ),
        (recipe(model={}), "model: neither given; expected exactly one of path"),
        (recipe(model={"toy": {}, "path": "/m"}), "model: path and toy given; expected exactly one of path"),
        (
            recipe(model={"toy": {"heads": 5}}),
            "model.toy.heads: 5 does not divide hidden_size 128; expected a divisor of",
        ),
        (recipe(model={"toy": {}, "tensor_parallel": 3}), "model.tensor_parallel: 3 does not divide toy.heads 4"),
        (
            recipe(model={"toy": {"hidden_sizes": 1}}),
            "model.toy.hidden_sizes: unknown key; expected hidden_size (known:",
        ),
        (recipe(data={"Train!": "/x"}), "data['Train!']: 'Train!' cannot be a name"),
        (
            recipe(data={"train": "/x"}),
            "data.train: the probe provides a manifest of this name too; expected another name",
        ),
    ],
)
def test_a_mistake_says_where_what_and_what_would_be_right(document: Any, problem: str) -> None:
    found = problems(document)
    assert any(p.startswith(problem) for p in found), found
    assert len(found) <= 2, found  # a key that is unknown may be one that is missing


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (
            recipe(stages=[RL]),
            "stages[0].type: rl before any sft, but a toy model starts with random weights; expected sft",
        ),
        (recipe(stages=[MGRD, SFT]), "stages[0].type: mgrd before any sft"),
        (recipe(stages=[EVAL, SFT]), "stages[0].type: eval before any sft"),
        (
            recipe(probe=None),
            "stages[0].data: no manifest 'cold_start'; expected one that the recipe provides (none: give",
        ),
        (
            recipe(EVAL | {"data": "held_out"}),
            "stages[1].data: no manifest 'held_out'; expected one that the recipe provides",
        ),
        (recipe(EVAL, EVAL), "stages[2].name: 'cold' is taken by stages[1]; expected a name of its own"),
        (
            recipe(RL | {"sampling": {"top_p": 0.9}}),
            "stages[1].sampling.top_p: 0.9 in an rl stage; expected 1: log-probs",
        ),
        (
            recipe(RL | {"algorithm": "grpo", "sampling": {"samples": 1}}),
            "stages[1].sampling.samples: 1; expected at least 2: grpo takes its baseline from the group",
        ),
        (recipe(RL | {"updates_per_step": 3}), "stages[1].updates_per_step: 3 does not divide the 256 trajectories"),
        (
            recipe(RL | {"select": {"min_correct": 7}}),
            "stages[1].select.min_correct: 7 is above max_correct 6; expected at",
        ),
        (
            recipe(RL | {"select": {"max_correct": 9}}),
            "stages[1].select.max_correct: 9 is above samples 8; expected at most",
        ),
        (
            recipe(EVAL, model={"toy": {"hidden_size": 64}}),
            "model.toy.heads: 4 heads of size 16 (hidden_size 64), with which stages[1] (eval) cannot sample; expected "
            "hidden_size / heads one of 32, 48, 64, 80,",
        ),
        (
            recipe(RL | {"sampling": {"max_tokens": 512}}),
            "stages[1].sampling.max_tokens: 512 leaves no place for the prompt in model.toy.max_positions 512",
        ),
    ],
)
def test_stages_that_cannot_work_are_refused(document: Any, problem: str) -> None:
    assert problems(document)[0].startswith(problem)


def test_a_model_with_a_path_may_start_with_any_stage() -> None:
    assert load_recipe(yaml.safe_dump(recipe(model={"path": "/m"}, stages=[RL]))).stages[0].type == "rl"


def test_a_toy_that_is_only_tuned_may_have_heads_of_any_even_size() -> None:
    toy = load_recipe(yaml.safe_dump(recipe(model={"toy": {"hidden_size": 64}}))).model.toy
    assert toy is not None and toy.hidden_size // toy.heads == 16


@pytest.mark.parametrize("stage", [EVAL, MGRD, RL])
def test_the_toy_as_it_is_by_default_can_sample(stage: Any) -> None:
    toy = load_recipe(yaml.safe_dump(recipe(stage))).model.toy
    assert toy == ToyModel() and toy.hidden_size // toy.heads == 32


def test_all_mistakes_come_at_once() -> None:
    found = problems(
        recipe(
            stages=[RL | {"steps": "many", "optmizer": {}}, EVAL | {"sampling": {"samples": 0}}, EVAL | {"data": "x"}],
            nmae="x",
            seed=-1,
        )
    )
    assert [p.split(":")[0] for p in found] == [
        "seed",
        "stages[0].steps",
        "stages[0].optmizer",
        "stages[1].sampling.samples",
        "nmae",
        "stages[2].data",
        "stages[0].type",
        "stages[2].name",
    ]


def test_no_more_mistakes_are_listed_than_an_error_can_carry() -> None:
    assert len(problems({f"k{i}": i for i in range(500)})) == 100


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
    started = time.monotonic()
    assert problems(text) == ["recipe: larger than 1024 KiB; expected at most 1024 KiB"]
    path = tmp_path / "big.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=r"big\.yaml: larger than 1024 KiB"):
        read_recipe(path)
    assert time.monotonic() - started < 1.0


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
def test_any_path_in_any_quoting_is_resolved_once(path: str, style: str) -> None:
    text = yaml.dump({"output": path, "z": 1}, allow_unicode=True, default_style=None if style == "plain" else style)
    once = absolute_paths(text, "/base")
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
