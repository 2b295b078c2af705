"""Recipes: what is accepted, and every mistake with its path, what is wrong and what would be right."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from earwitness.recipe.load import load_recipe
from earwitness.recipe.schema import ToyModel
from earwitness.recipe.stages import RlStage, SftStage

sys.path.insert(0, str(Path(__file__).parent))

from recipe_kit import EVAL, MGRD, RL, SFT, problems, recipe

pytestmark = pytest.mark.smoke


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


def test_budgets_of_thinking_leave_room_for_an_answer() -> None:
    most = load_recipe(yaml.safe_dump(recipe(EVAL))).stages[1].sampling.max_tokens
    assert load_recipe(yaml.safe_dump(recipe(EVAL | {"think_budgets": [0, most - 1]})))
    assert "think_budgets.1" in problems(recipe(EVAL | {"think_budgets": [0, most]}))[0]
    assert "twice" in problems(recipe(EVAL | {"think_budgets": [8, 8]}))[0]


ROUND = [MGRD, RL | {"select": {"samples": 4, "max_correct": 4, "from_mgrd": True}}, EVAL]


def test_rounds_are_their_stages_once_a_round_and_read_back_as_they_ran() -> None:
    read = load_recipe(yaml.safe_dump(recipe({"rounds": 2, "stages": ROUND}, {**EVAL, "name": "end"})))
    shapes = [(stage.type, stage.round, getattr(stage, "name", None)) for stage in read.stages]
    one = [("mgrd", 1, None), ("rl", 1, None), ("eval", 1, "cold_1")]
    two = [("mgrd", 2, None), ("rl", 2, None), ("eval", 2, "cold_2")]
    assert shapes == [("sft", 0, None), *one, *two, ("eval", 0, "end")]
    assert load_recipe(yaml.safe_dump(read.model_dump(mode="json"))) == read


def test_what_is_wrong_within_rounds_is_told_once_and_where_it_is_written() -> None:
    wrong = {"rounds": 3, "stages": [MGRD, RL | {"steps": 0}]}
    assert [p.split(": ")[0] for p in problems(recipe(EVAL, wrong))] == ["stages[2].stages[1].steps"]
    for block, path in (
        ({"rounds": 0, "stages": ROUND}, "stages[1].rounds: 0"),
        ({"rounds": True, "stages": ROUND}, "stages[1].rounds: True"),
        ({"rounds": 2, "stages": []}, "stages[1].stages: []"),
        ({"rounds": 2, "stages": [{"rounds": 2, "stages": ROUND}]}, "stages[1].stages: rounds within"),
        ({"rounds": 2, "stages": ROUND, "times": 3}, "stages[1].times: unknown key"),
    ):
        assert any(p.startswith(path) for p in problems(recipe(block))), path
    twice = {"rounds": 2, "stages": [MGRD]}
    assert any("a second time" in p for p in problems(recipe(twice, twice)))


def test_counts_of_mgrd_are_those_of_the_same_prompts_and_as_many_samples() -> None:
    by_mgrd = RL | {"select": {"samples": 4, "max_correct": 4, "from_mgrd": True}}
    assert load_recipe(yaml.safe_dump(recipe(MGRD, by_mgrd)))
    assert problems(recipe(by_mgrd))[0].startswith("stages[1].select.from_mgrd: no mgrd stage before")
    eight = RL | {"select": {"samples": 8, "from_mgrd": True}}
    assert "mgrd takes 4 of a prompt" in problems(recipe(MGRD, eight))[0]
    assert "mgrd samples train" in problems(recipe(MGRD, by_mgrd | {"data": "lessons"}))[0]


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
        (recipe(**{"~": 1}), "['~']: unknown key; expected one of name, output,"),
        (recipe(**{"~name": 1}), "['~name']: unknown key; expected name"),
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
        *(
            (recipe(output=uri), f"output: {uri!r}: names no place; expected a path")
            for uri in (" ", "s3://", "file:// ")
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
