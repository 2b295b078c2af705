"""Ordinals to prompts, progress, selection and distillation: pure functions."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earwitness.data.mixture import Portion
from earwitness.errors import InputError
from earwitness.jobs.phases import phases_of
from earwitness.jobs.progress import UNKNOWN, TimeLeft
from earwitness.jobs.tasks import Pass, pass_of
from earwitness.manifest import Example
from earwitness.recipe.load import load_recipe
from earwitness.recipe.recipe import Recipe
from earwitness.recipe.stages import MgrdStage, Selection
from earwitness.recipe.stages.mgrd import distil, verdict
from earwitness.recipe.stages.rl import correct_count, distribution, selected_ids
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

RECIPE = load_recipe("""
name: small
output: /out
seed: 5
model: {toy: {}}
data: {cold_start: /a, train: /b, eval: /c}
stages:
  - {type: sft, tune: {steps: 2, optimizer: {learning_rate: 0.001}}}
  - {type: eval, name: before}
  - {type: mgrd, prompts: 3, tune: {steps: 2, optimizer: {learning_rate: 0.001}}}
  - {type: rl, steps: 2, optimizer: {learning_rate: 0.001}, kl_coef: 0.1, select: {prompts: 100}}
  - type: eval
    name: after
    without_audio: true
    shuffled_audio: true
    decisive_removed: true
    extend: " The"
    greedy: true
    think_budgets: [32, 0, 8]
""")
PHASES = {p.slug: p for p in phases_of(RECIPE)}


def passed(slug: str, prompts: list[wire.Prompt], run_id: str = "r", recipe: Recipe = RECIPE) -> tuple[Pass, int]:
    phase = PHASES[slug]
    of = recipe.stages[phase.stage_index].asks(phase.name, prompts)
    return pass_of(of, recipe, phase, run_id, [Portion(1, len(prompts))]), of.count


def prompts(count: int) -> list[wire.Prompt]:
    return [wire.Prompt(id=f"p{i}") for i in range(count)]


@given(count=st.integers(1, 40), epochs=st.integers(1, 4))
def test_every_epoch_has_every_prompt_once(count: int, epochs: int) -> None:
    tasks = passed("3-train", prompts(count), "j/3-train/0")[0]
    for epoch in range(epochs):
        ids = [tasks.prompt_of(epoch * count + i).id for i in range(count)]
        assert sorted(ids) == sorted(p.id for p in prompts(count))


def test_an_ordinal_is_the_same_task_in_every_lineage() -> None:
    first = passed("3-train", prompts(50), "j/3-train/0")[0]
    second = passed("3-train", prompts(50), "j/3-train/1")[0]
    for ordinal in (0, 49, 50, 777):
        a, b = first.task(ordinal, 3), second.task(ordinal, 3)
        assert (a.run_id, b.run_id) == ("j/3-train/0", "j/3-train/1")
        b.run_id = a.run_id
        assert a == b


def test_epochs_and_stages_have_orders_of_their_own() -> None:
    tasks = passed("3-train", prompts(30), "r")[0]
    first = [tasks.prompt_of(i).id for i in range(30)]
    assert first != [tasks.prompt_of(30 + i).id for i in range(30)]
    select, _ = passed("3-select", prompts(30))
    assert first != [select.prompt_of(i).id for i in range(30)]


def test_what_a_pass_asks_for() -> None:
    train = passed("3-train", prompts(4), "r")[0].task(0, 7)
    assert (train.needs_reference, train.needs_spread) == (True, True)
    assert (train.min_version, train.sampling.samples) == (7, 16)
    select, total = passed("3-select", prompts(4))
    assert total == 4  # no more than there are
    task = select.task(0, 1)
    assert (task.sampling.samples, task.needs_reference) == (8, False)
    _, total = passed("2-sample", prompts(4))
    assert total == 3


def test_traces_are_judged_only_where_the_recipe_says_so() -> None:
    judging = RECIPE.stages[2].model_copy(update={"judge": True})
    recipe = RECIPE.model_copy(update={"stages": [*RECIPE.stages[:2], judging, *RECIPE.stages[3:]]})
    for of, judged in ((RECIPE, False), (recipe, True)):
        assert passed("2-sample", prompts(4), recipe=of)[0].task(0, 1).judge_traces is judged
        assert not passed("3-select", prompts(4), recipe=of)[0].task(0, 1).judge_traces


def test_greedy_is_one_sample_of_the_likeliest_tokens() -> None:
    plain, greedy = (passed(f"4-{phase}", prompts(4))[0].task(0, 1).sampling for phase in ("score", "score-greedy"))
    assert (greedy.samples, plain.top_p) == (1, 1.0)
    assert 0 < greedy.top_p < 1e-5  # so little mass that no second token fits, of any vocabulary
    stage = RECIPE.stages[4]
    assert [phase for phase in stage.phases() if stage.is_greedy(phase)] == ["score-greedy"]
    assert stage.phases() == sorted(stage.phases())


def test_what_is_sampled_to_learn_from_tells_the_headroom() -> None:
    slugs = [slug for slug, phase in PHASES.items() if phase.stage_type
             and RECIPE.stages[phase.stage_index].headroom(phase.name)]  # fmt: skip
    assert slugs == ["2-sample", "3-select"]


def test_evaluations_differ_by_the_policy_alone() -> None:
    before, _ = passed("1-score", prompts(4))
    after, _ = passed("4-score", prompts(4))
    silent, _ = passed("4-score-silent", prompts(4))
    assert before.seed == after.seed == silent.seed
    assert [before.prompt_of(i).id for i in range(4)] == ["p0", "p1", "p2", "p3"]
    assert (after.asked.without_audio, silent.asked.without_audio) == (False, True)


def test_controls_ask_the_same_of_sounds_that_cannot_tell() -> None:
    asked = [wire.Prompt(id=f"p{i}", kind="ab"[i % 2], audio_uri=f"{i}.wav", control_uri=f"c{i}.wav") for i in range(6)]
    asked.insert(2, wire.Prompt(id="text"))
    asked.append(wire.Prompt(id="two", clips=[wire.PlacedClip(audio_uri=n, control_uri=f"c{n}") for n in "xy"]))
    asked[3].audio_uri = asked[0].audio_uri  # two questions about one clip
    after, other, none = (passed(slug, asked)[0] for slug in ("4-score", "4-score-shuffled", "4-score-removed"))
    assert after.seed == other.seed == none.seed
    for i, prompt in enumerate(asked):
        one, two = other.prompt_of(i), none.prompt_of(i)
        assert one.id == two.id == prompt.id and after.prompt_of(i) == prompt
        if prompt.audio_uri:
            (kind,) = {p.kind for p in asked if p.audio_uri == one.audio_uri and p.kind == prompt.kind}
            assert one.audio_uri != prompt.audio_uri and kind == prompt.kind
        assert two.audio_uri == prompt.control_uri
        assert [clip.audio_uri for clip in two.clips] == [clip.control_uri for clip in prompt.clips]
    alone = passed("4-score-shuffled", asked[:1])[0].prompt_of(0)
    assert alone == asked[0]


def test_an_evaluation_without_what_decides_wants_such_a_clip_of_every_prompt() -> None:
    stage = RECIPE.stages[4]
    for prompt in (wire.Prompt(id="p", audio_uri="a", control_uri="b"), wire.Prompt(id="text")):
        stage.check(Example(prompt))
    with pytest.raises(InputError, match="p: has a clip and no control_audio"):
        stage.check(Example(wire.Prompt(id="p", audio_uri="a")))
    whole, half = wire.PlacedClip(audio_uri="a", control_uri="b"), wire.PlacedClip(audio_uri="a")
    stage.check(Example(wire.Prompt(id="p", clips=[whole, whole])))
    with pytest.raises(InputError, match="p: has a clip and no control_audio"):
        stage.check(Example(wire.Prompt(id="p", clips=[whole, half])))


def test_thinking_is_bounded_in_phases_of_its_own_smallest_first() -> None:
    """Runs of a job are opened in the order of their phases' names."""
    bounded = [slug for slug in PHASES if "think" in slug]
    assert bounded == sorted(bounded) and max(["4-score", "4-score-silent"]) < bounded[0]
    tasks = [passed(slug, prompts(2))[0].task(0, 0) for slug in bounded]
    assert [task.sampling.think_tokens for task in tasks] == [0, 8, 32]
    assert all(task.sampling.HasField("think_tokens") for task in tasks)
    plain, extended = (passed(slug, prompts(2))[0].task(0, 0) for slug in ("4-score", "4-score-extended"))
    assert not plain.sampling.HasField("think_tokens") and not extended.sampling.HasField("think_tokens")
    assert (plain.sampling.extend, extended.sampling.extend) == ("", " The")


def test_a_phase_that_does_not_sample_is_refused() -> None:
    for phase in PHASES.values():
        if phase.name == "tune":
            with pytest.raises(ValueError, match="does not sample"):
                RECIPE.stages[phase.stage_index].asks(phase.name, prompts(1))


def test_seconds_left_is_the_recent_rate() -> None:
    progress = TimeLeft()
    assert progress.seconds_left(0, 100, 0.0) == UNKNOWN
    assert progress.seconds_left(10, 100, 5.0) == pytest.approx(45.0)
    assert progress.seconds_left(100, 100, 50.0) == pytest.approx(0.0)
    assert progress.seconds_left(20, 100, 60.0) == UNKNOWN  # back to a checkpoint: a new beginning


def test_selection_keeps_the_window_and_its_order() -> None:
    window = Selection(prompts=9, samples=8, min_correct=3, max_correct=6)
    counts = {"a": 2, "b": 6, "c": 8, "d": 3, "e": 0}
    assert selected_ids(counts, window) == ["b", "d"]
    assert distribution(counts.values()) == "0: 1, 2: 1, 3: 1, 6: 1, 8: 1"


STAGE = MgrdStage(tune={"steps": 1, "optimizer": {"learning_rate": 1e-3}}, max_per_prompt=2)


def trajectory(text: str = "It rises.\n</think>\nup", **reward: object) -> wire.Trajectory:
    good = {"correct": True, "well_formed": True, "coherent": True, "supported": 1}
    return wire.Trajectory(text=text, reward=wire.Reward(**{**good, **reward}))


@pytest.mark.parametrize(
    ("reward", "outcome"),
    [
        ({}, "kept"),
        ({"truncated": True}, "malformed"),
        ({"correct": False}, "wrong answer"),
        ({"coherent": False}, "incoherent"),
        ({"surrogate": True}, "surrogate"),
        ({"denial": True}, "denial"),
        ({"supported": 0}, "too few supported claims"),
        ({"supported": 3, "contradicted": 1}, "contradicted by the sound"),
        ({"trace_verdict": wire.TRACE_VERDICT_REFUSED}, "refused by the judge"),
        ({"trace_verdict": wire.TRACE_VERDICT_FAILED}, "kept"),
    ],
)
def test_mgrd_keeps_correct_coherent_grounded(reward: dict, outcome: str) -> None:
    assert verdict(trajectory(**reward), STAGE) == outcome


def test_mgrd_without_its_rule_of_coherence_keeps_what_comes_to_another_answer() -> None:
    loose = STAGE.model_copy(update={"coherent": False})
    assert verdict(trajectory(coherent=False), loose) == "kept"
    assert verdict(trajectory(coherent=False, correct=False), loose) == "wrong answer"


def test_distil_takes_the_best_supported_and_no_text_twice() -> None:
    texts = ["one\n</think>\nup", "two\n</think>\nup", "one\n</think>\nup", "three\n</think>\nA. up"]
    prompt = wire.Prompt(id="p", question="?", answer="up", audio_uri="/clip.wav")
    group = wire.Group(task=wire.GroupTask(prompt=prompt))
    for i, (text, supported) in enumerate(zip(texts, (1, 1, 1, 2), strict=True)):
        group.trajectories.add(index=i).CopyFrom(trajectory(text, supported=supported))
        group.trajectories[i].index = i
    distilled = distil([group], STAGE)
    assert [(e.prompt.id, e.reasoning, e.response) for e in distilled.examples] == [
        ("p~0", "three", "A. up"), ("p~1", "one", "up"),
    ]  # fmt: skip
    assert Counter(distilled.outcomes) == {"kept": 2, "enough of this prompt": 1, "same text again": 1}
    assert correct_count(group) == 4


def test_a_trace_about_text_is_kept_without_a_supported_claim_and_refused_for_all_else() -> None:
    assert verdict(trajectory(supported=0), STAGE, heard=False) == "kept"
    for wrong in ("surrogate", "denial"):
        assert verdict(trajectory(supported=0, **{wrong: True}), STAGE, heard=False) == wrong
    group = wire.Group(task=wire.GroupTask(prompt=wire.Prompt(id="p", question="2 + 2?", answer="4")))
    group.trajectories.add().CopyFrom(trajectory("Two and two.\n</think>\n4", supported=0))
    assert [e.reasoning for e in distil([group], STAGE).examples] == ["Two and two."]


def test_an_instruction_is_heard_while_sampling_and_gone_from_what_is_kept() -> None:
    stage = RECIPE.stages[2].model_copy(update={"instruction": "Name what you hear."})
    recipe = RECIPE.model_copy(update={"stages": [*RECIPE.stages[:2], stage, *RECIPE.stages[3:]]})
    heard = wire.Prompt(id="a", question="Up or down?", audio_uri="/clip.wav")
    read = wire.Prompt(id="b", question="2 + 2?")
    made, _ = passed("2-sample", [heard, read], recipe=recipe)
    asked = {made.prompt_of(n).id: made.prompt_of(n) for n in range(2)}
    assert asked["a"].question == "Up or down?\nName what you hear." and asked["b"].question == "2 + 2?"
    assert heard.question == "Up or down?"
    group = wire.Group(task=wire.GroupTask(prompt=asked["a"]), trajectories=[trajectory()])
    assert [e.prompt.question for e in distil([group], stage).examples] == ["Up or down?"]
