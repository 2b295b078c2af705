"""Questions that are worked out: their answers are what the sounds come to, by other arithmetic than the probe's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from earwitness.audio import read_audio
from earwitness.probe import Traces, write
from earwitness.probe.kinds import KINDS
from earwitness.probe.reasoning import REASONING_KINDS
from earwitness.probe.write import BY_NAME, Asked, make_example, side_of
from earwitness.recipe.load import RecipeError, load_recipe
from earwitness.recipe.rules import PROBE_MANIFESTS
from earwitness.recipe.schema import ProbeData
from earwitness.recipe.schema.sampling import COMPOUND_KINDS, OF_TWO_SIDES, RECORDING_KINDS, SIMPLE_KINDS
from earwitness.recipe.schema.sampling import REASONING_KINDS as REASONING_NAMES
from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.measure import measure
from reward.parse import extract_claims
from reward.verify import as_message, check

COMBINED = (*COMPOUND_KINDS, *REASONING_NAMES, *RECORDING_KINDS)


def test_a_recipe_names_the_kinds_that_there_are() -> None:
    assert (*SIMPLE_KINDS, *COMPOUND_KINDS) == tuple(kind.name for kind in KINDS)
    assert tuple(kind.name for kind in REASONING_KINDS) == REASONING_NAMES
    assert set(BY_NAME) == {*SIMPLE_KINDS, *COMBINED}
    assert Asked.of(ProbeData()) == Asked()  # what a recipe without these keys asks is what it always asked


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"kinds": ["count", "melody"]}, "probe.kinds[1]: no kind 'melody'"),
        ({"kinds": ["count", "count"]}, "probe.kinds[1]: 'count' a second time"),
        ({"kinds": ["odd_one_out", "timbre"], "new_combinations": True}, "probe.kinds[1]: 'timbre' is of one sound"),
        ({"surrogate_share": 0.7, "unthought_share": 0.4}, "probe.unthought_share: 1.1 with what guesses and denies"),
        ({"new_combinations": True}, "probe.kinds[0]: 'pitch_direction' is of one sound"),
    ],
)
def test_other_kinds_are_refused_by_name(given: dict, told: str) -> None:
    evaluation = {"type": "eval", "name": "a"}
    recipe = {"name": "a", "output": "/a", "model": {"path": "/m"}, "probe": given, "stages": [evaluation]}
    with pytest.raises(RecipeError) as caught:
        load_recipe(yaml.safe_dump(recipe))
    assert str(caught.value.problems[0]).startswith(told)


def made(folder: Path, kind: str, index: int, split: str = "lessons", **asked: bool):
    given = Traces() if split in ("lessons", "cold_start") else None
    prompt, reasoning, _, extra = make_example(str(folder), 3, split, given, index, Asked((kind,), **asked))
    return trajectory_pb2.Prompt.FromString(prompt), reasoning, extra["facts"]


def worked_out(kind: str, reasoning: str) -> str:
    """The answer, from what the trace says of each sound."""
    said = [float(number) for number in re.findall(r"[\d.]+(?= Hz)", reasoning)]
    counts = [int(n) for n in re.findall(r"(\d+) (?:before|after)", reasoning)][:2]
    places = dict(zip(("first", "second", "third"), said, strict=False))
    match kind:
        case "more_than_after":
            return str(counts[0] - counts[1])
        case "weighted_sum":
            return str(counts[0] + 2 * counts[1])
        case "odd_one_out":
            return next(place for place, hz in places.items() if said.count(hz) == 1)
        case "pitch_order":
            return ", ".join(sorted(places, key=places.__getitem__))
    raise AssertionError(kind)


@pytest.mark.parametrize("kind", REASONING_NAMES)
def test_the_answer_is_what_the_account_comes_to_and_the_account_is_true(tmp_path: Path, kind: str) -> None:
    answers = set()
    for index in range(8):
        prompt, reasoning, _ = made(tmp_path, kind, index)
        assert worked_out(kind, reasoning) == prompt.answer, reasoning
        answers.add(prompt.answer)
        heard = measure(read_audio(prompt.audio_uri))
        claims = extract_claims(reasoning, prompt)
        verdicts = [as_message(claim, check(claim.statement, heard)).verdict for claim in claims]
        assert trajectory_pb2.VERDICT_SUPPORTED in verdicts, reasoning
        assert trajectory_pb2.VERDICT_CONTRADICTED not in verdicts, reasoning
    assert len(answers) > 2


@pytest.mark.parametrize("kind", COMBINED)
def test_every_answer_has_combinations_on_every_side(kind: str) -> None:
    rng = np.random.default_rng(0)
    for answer in BY_NAME[kind].answers:
        expected = {"", "eval"} | (set() if kind in OF_TWO_SIDES else {"dev"})
        sides = set()
        for _ in range(400):
            sides.add(side_of(BY_NAME[kind], BY_NAME[kind].make(rng, answer)))
            if sides == expected:
                break
        assert sides == expected, answer


@pytest.mark.parametrize("kind", COMBINED)
def test_what_is_learned_held_out_and_chosen_by_share_no_combination(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "write_clip", lambda path, rng, wave, level: None)
    splits = [split for split in PROBE_MANIFESTS if split != "dev" or kind not in OF_TWO_SIDES]
    facts = {
        split: {str(made(tmp_path, kind, i, split, new_combinations=True)[2]) for i in range(12)} for split in splits
    }
    learned = facts["lessons"] | facts["cold_start"] | facts["train"]
    assert facts["eval"] and not facts["eval"] & learned
    assert not facts.get("dev", set()) & (learned | facts["eval"])


def test_the_clips_to_choose_by_leave_out_what_has_no_third_side(tmp_path: Path) -> None:
    both = Asked(("weighted_sum", "odd_one_out"), new_combinations=True)
    assert both.of_split("dev") == ("odd_one_out",) and both.of_split("eval") == both.kinds
    assert Asked(both.kinds).of_split("dev") == both.kinds
    given = {"kinds": ["weighted_sum"], "new_combinations": True}
    ProbeData.model_validate(given)
    with pytest.raises(ValueError, match="dev: 8 clips put together anew, of kinds with too few combinations"):
        ProbeData.model_validate(given | {"dev": 8})


def test_without_new_combinations_splits_share_some(tmp_path: Path) -> None:
    plain = [{str(made(tmp_path, "weighted_sum", i, split)[2]) for i in range(12)} for split in ("train", "eval")]
    assert plain[0] & plain[1]


def test_the_asked_share_of_honest_traces_goes_step_by_step(tmp_path: Path) -> None:
    kinds = Asked(REASONING_NAMES)
    for stepwise, least, most in ((0.0, 0, 0), (0.5, 6, 18), (1.0, 24, 24)):
        traces = [
            make_example(str(tmp_path), 3, "cold_start", Traces(0.0, 0.0, stepwise), i, kinds)[1] for i in range(24)
        ]
        steps = [bool(re.search(r"Hz|I hear", trace)) for trace in traces]
        assert least <= sum(steps) <= most
        assert all(trace[0].isupper() and trace.endswith(".") for trace in traces)


def test_invented_values_come_to_the_right_answer_of_the_same_clip(tmp_path: Path) -> None:
    def traces(invented: float) -> list[tuple[str, str | None]]:
        share = Traces(invented=invented)
        made = [make_example(str(tmp_path), 3, "cold_start", share, i, Asked(("which_higher",))) for i in range(24)]
        return [(str(extra["facts"]), trace) for _, trace, _, extra in made]

    honest, some, none = traces(0.0), traces(0.5), traces(1.0)
    assert [facts for facts, _ in honest] == [facts for facts, _ in none]
    conclusions = [[(trace or "").split(", so ")[1] for _, trace in of] for of in (honest, some, none)]
    assert conclusions[0] == conclusions[1] == conclusions[2]
    differ = [sum(a != b for a, b in zip(honest, of, strict=True)) for of in (some, none)]
    assert 4 <= differ[0] <= 20 and differ[1] >= 20


def test_what_answers_at_once_does_so_rightly_behind_an_empty_block(tmp_path: Path) -> None:
    def made(unthought: float) -> list[tuple[str | None, str | None, dict[str, Any]]]:
        shares = Traces(surrogate=0.25, unthought=unthought)
        return [
            make_example(str(tmp_path), 3, "cold_start", shares, i, Asked(("which_higher",)))[1:] for i in range(40)
        ]

    thought, some, none = made(0.0), made(0.5), made(0.75)
    at_once = ("", None)  # its response is then the answer
    assert 10 <= sum(of[:2] == at_once for of in some) <= 30
    assert [of[:2] for of in some if of[:2] != at_once] == [
        then[:2] for then, of in zip(thought, some, strict=True) if of[:2] != at_once
    ]
    assert all(of[2]["surrogate"] or of[:2] == at_once for of in none)
    assert [of[2]["facts"] for of in thought] == [of[2]["facts"] for of in none]
