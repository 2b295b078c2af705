"""Several manifests in turns: shares are exact, prompts come equally often, an ordinal is always the same prompt."""

import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earwitness.data.mixture import Portion, before_a_repeat, portion_of, until_all, write_mix
from earwitness.jobs.phases import phases_of
from earwitness.jobs.preparing import Prompts
from earwitness.jobs.tasks import pass_of
from earwitness.manifest import Example, read_manifest
from earwitness.recipe.load import RecipeError, load_recipe
from earwitness.recipe.schema.mixing import Part
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

sys.path.insert(0, str(Path(__file__).parent))

from data_kit import lines

PORTIONS = st.lists(st.builds(Portion, st.integers(1, 7), st.integers(0, 12)), min_size=1, max_size=4).filter(
    lambda portions: any(portion.prompts for portion in portions)
)


@given(PORTIONS, st.integers(0, 200))
def test_shares_are_exact_at_every_moment(portions: list[Portion], ordinals: int) -> None:
    given_ = Counter(portion_of(portions, ordinal)[0] for ordinal in range(ordinals))
    weights = sum(portion.weight for portion in portions if portion.prompts)
    for at, portion in enumerate(portions):
        due = ordinals * portion.weight / weights if portion.prompts else 0
        assert abs(given_[at] - due) < (1.5 if len(portions) > 2 else 1)
        if ordinals % weights == 0:
            assert given_[at] == due


@given(PORTIONS)
def test_a_portion_is_asked_in_order(portions: list[Portion]) -> None:
    asked: Counter[int] = Counter()
    for ordinal in range(100):
        at, nth = portion_of(portions, ordinal)
        assert nth == asked[at]
        asked[at] += 1


@given(PORTIONS)
def test_what_comes_before_a_repeat_and_until_all(portions: list[Portion]) -> None:
    def asked(ordinal: int) -> tuple[int, int]:
        at, nth = portion_of(portions, ordinal)
        return at, nth % portions[at].prompts

    most = before_a_repeat(portions)
    assert len({asked(ordinal) for ordinal in range(most)}) == most
    assert len({asked(ordinal) for ordinal in range(most + 1)}) == most
    assert len({asked(ordinal) for ordinal in range(until_all(portions))}) == sum(p.prompts for p in portions)


RECIPE = """
name: mixed
output: /out
model: {path: /m}
data: {audio: /a, text: /b}
stages:
  - {type: rl, data: DATA, steps: 2, optimizer: {learning_rate: 0.001}, select: {prompts: 100}}
  - {type: sft, data: text, tune: {steps: 2, optimizer: {learning_rate: 0.001}}}
  - {type: eval, name: after, data: [{name: audio}, {name: text}]}
"""
MIX = "[{name: audio, weight: 3}, {name: text, weight: 2}]"


def prompts(audio: int = 30, text: int = 8) -> Prompts:
    def examples(count: int) -> list[Example]:
        return [Example(wire.Prompt(id=f"q{n}")) for n in range(count)]

    recipe = load_recipe(RECIPE.replace("DATA", MIX))
    found = dict(zip(("audio", "text"), (examples(audio), examples(text)), strict=True))
    return Prompts([(part, found[part.name]) for part in recipe.stages[0].parts])


def asked_of(prompts: Prompts, slug: str = "0-train"):
    recipe = load_recipe(RECIPE.replace("DATA", MIX))
    phase = next(phase for phase in phases_of(recipe) if phase.slug == slug)
    return pass_of(recipe.stages[phase.stage_index].asks(phase.name, prompts), recipe, phase, "r", prompts.portions)


def test_a_pass_over_two_manifests() -> None:
    """Of every five prompts three are from the first; in each epoch of a manifest each of its prompts comes once."""
    pass_ = asked_of(prompts())
    ids = [pass_.prompt_of(ordinal).id for ordinal in range(500)]
    for start in range(0, 500, 5):
        assert Counter(name.split("/")[0] for name in ids[start : start + 5]) == {"audio": 3, "text": 2}
    for name, count in (("audio", 30), ("text", 8)):
        own = [i for i in ids if i.startswith(name)]
        epochs = [own[start : start + count] for start in range(0, len(own) - count, count)]
        assert all(len(set(epoch)) == count for epoch in epochs)
        assert epochs[0] != epochs[1]  # each has an order of its own
    assert [pass_.prompt_of(ordinal).id for ordinal in range(500)] == ids
    assert [prompts()[pass_.place_of(ordinal)].id for ordinal in range(500)] == ids


def test_what_selection_chose_keeps_the_shares() -> None:
    every = prompts()
    chosen = every.at([3, 4, 17, 30, 37])
    assert [prompt.id for prompt in chosen] == ["audio/q3", "audio/q4", "audio/q17", "text/q0", "text/q7"]
    ids = [asked_of(chosen).prompt_of(ordinal).id for ordinal in range(50)]
    assert Counter(name.split("/")[0] for name in ids) == {"audio": 30, "text": 20}
    assert set(ids) == {prompt.id for prompt in chosen}
    alone = every.at([1, 2])  # nothing of the second manifest was chosen
    assert Counter(asked_of(alone).prompt_of(ordinal).id for ordinal in range(10)) == {"audio/q1": 5, "audio/q2": 5}


def test_a_pass_with_an_end_stops_before_a_prompt_comes_again() -> None:
    pass_ = asked_of(prompts(), "0-select")
    # Four turns of five, and one of the fifth: then text, of which there are eight, would begin anew.
    assert pass_.before_a_repeat == 21
    assert len({pass_.place_of(ordinal) for ordinal in range(21)}) == 21


def test_an_evaluation_asks_each_prompt_once_in_order() -> None:
    pass_ = asked_of(prompts(), "2-score")
    assert [pass_.place_of(ordinal) for ordinal in range(pass_.before_a_repeat)] == list(range(38))


def test_one_manifest_is_asked_as_it_always_was() -> None:
    """Jobs that are under way when Earwitness is updated must not ask anything else."""
    alone = Prompts([(Part(name="train"), [Example(wire.Prompt(id=f"q{n}")) for n in range(10)])])
    recipe = load_recipe(RECIPE.replace("DATA", "text"))
    phase = next(phase for phase in phases_of(recipe) if phase.slug == "0-train")
    pass_ = pass_of(recipe.stages[0].asks("train", alone), recipe, phase, "r", alone.portions)
    assert [pass_.prompt_of(ordinal).id for ordinal in range(12)] == [
        "q6", "q1", "q4", "q9", "q5", "q7", "q2", "q3", "q0", "q8", "q1", "q8"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "path", "words"),
    [
        ("[{name: audio, weight: 0}]", "stages[0].data[0].weight", "0 is out of range"),
        ("[{name: audio, wait: 1}]", "stages[0].data[0].wait", "unknown key"),
        ("[{name: audio}, {name: speech}]", "stages[0].data[1].name", "no manifest 'speech'"),
        ("[{name: audio}, {name: audio}]", "stages[0].data[1].name", "'audio' a second time"),
        ("[]", "stages[0].data", "0 items"),
        ("[{weight: 1}]", "stages[0].data[0].name", "missing"),
        ("[audio]", "stages[0].data[0]", "'audio' is text"),
        ("5", "stages[0].data", "5 is a whole number"),
        ("speech", "stages[0].data", "no manifest 'speech'"),
        ("A!", "stages[0].data", "'A!' cannot be a name"),
    ],
)
def test_mistakes_are_named(data: str, path: str, words: str) -> None:
    with pytest.raises(RecipeError) as raised:
        load_recipe(RECIPE.replace("DATA", data))
    assert {p.path for p in raised.value.problems} == {path}
    assert words in raised.value.problems[0].what


def test_an_evaluation_has_no_weights() -> None:
    with pytest.raises(RecipeError, match=r"stages\[2\]\.data\[0\]\.weight: an evaluation asks each prompt once"):
        load_recipe(RECIPE.replace("DATA", "text").replace("[{name: audio},", "[{name: audio, weight: 2},"))


def test_a_mix_on_disk_holds_everything_and_the_weights(tmp_path: Path) -> None:
    def manifest(name: str, count: int) -> list[Example]:
        rows = [{"id": f"q{n}", "question": name, "answer": "yes", "verifier": "polar"} for n in range(count)]
        return read_manifest(str(lines(tmp_path / f"{name}.jsonl", *rows)))

    uri = str(tmp_path / "mix.jsonl")
    counts = write_mix(uri, [("a", 3, manifest("a", 7)), ("b", 1, manifest("b", 2))])
    found = [example.prompt.id for example in read_manifest(uri)]
    assert (counts, len(found), len(set(found))) == ({"a": 9, "b": 3}, 12, 12)
    assert {"a/q0", "a/q6", "a/q0~2", "b/q0", "b/q1", "b/q0~2"} <= set(found)
    assert write_mix(uri, [("a", 3, manifest("a", 7)), ("b", 1, manifest("b", 2))], 4) == {"a": 3, "b": 1}
