"""The state machine, the list of phases, and the record: pure, so tested exhaustively."""

import dataclasses
from itertools import product

import pytest

from earwitness.jobs.changes import (
    Ended,
    Learned,
    Paused,
    PhaseDone,
    Prepared,
    Published,
    Resumed,
    RunClosed,
    Running,
    Sampled,
    Started,
    StepTold,
    TrainerSeen,
    WentBack,
    apply,
)
from earwitness.jobs.phases import phases_of
from earwitness.jobs.record import JobRecord, effective_recipe, recipe_yaml
from earwitness.jobs.states import NEXT, State, may_become, next_action, refusal
from earwitness.recipe.load import load_recipe
from earwitness.recipe.schema import ProbeData
from earwitness.wire.jobs.v1 import jobs_pb2

RECIPE = """
name: small
output: /out
model: {toy: {}}
data: {cold_start: /a, train: /b, eval: /c}
stages:
  - {type: sft, tune: {steps: 2, optimizer: {learning_rate: 0.001}}}
  - {type: eval, name: before}
  - {type: mgrd, tune: {steps: 2, optimizer: {learning_rate: 0.001}}}
  - {type: rl, steps: 2, optimizer: {learning_rate: 0.001}, select: {}}
  - {type: rl, steps: 2, optimizer: {learning_rate: 0.001}}
  - {type: eval, name: after, without_audio: true}
"""


def record(**fields: object) -> JobRecord:
    return JobRecord(**{**dataclasses.asdict(JobRecord("small-1", "r", "small", "/out/small-1", 6, 1.0)), **fields})


def test_every_state_has_its_place_on_the_wire() -> None:
    names = {state.wire for state in State}
    assert len(names) == len(State)
    assert names == set(jobs_pb2.JobState.values()) - {jobs_pb2.JOB_STATE_UNSPECIFIED}


def test_what_has_ended_never_changes() -> None:
    ended = [s for s in State if s.ended]
    assert ended == [State.SUCCEEDED, State.FAILED, State.CANCELLED]
    assert not [(a, b) for a, b in product(ended, State) if a is not b and may_become(a, b)]


def test_from_every_state_that_goes_on_a_job_can_end() -> None:
    for state in State:
        reached, edge = {state}, [state]
        while edge:
            edge = [n for s in edge for n in NEXT[s] if n not in reached]
            reached.update(edge)
        assert any(s.ended for s in reached)


def test_cancel_stops_whatever_goes_on() -> None:
    for state in State:
        assert next_action(state, "cancel") == ("nothing" if state.ended else "stop for cancel")


@pytest.mark.parametrize(
    ("state", "wish", "action"),
    [
        (State.QUEUED, "", "start"),
        (State.QUEUED, "pause", "start"),
        (State.STARTING, "pause", "work"),
        (State.RUNNING, "", "work"),
        (State.RUNNING, "pause", "stop for pause"),
        (State.PAUSED, "pause", "wait"),
        (State.PAUSED, "", "go on"),
        (State.SUCCEEDED, "pause", "nothing"),
    ],
)
def test_next_action(state: State, wish: str, action: str) -> None:
    assert next_action(state, wish) == action


def test_refusals_name_the_state() -> None:
    assert refusal(State.RUNNING, "pause") == ""
    assert "QUEUED" in refusal(State.QUEUED, "pause")
    assert "SUCCEEDED" in refusal(State.SUCCEEDED, "cancel")
    assert refusal(State.CANCELLED, "cancel") == ""  # a repeated call


def test_phases_follow_the_recipe() -> None:
    phases = phases_of(load_recipe(RECIPE))
    assert [(p.stage_index, p.name) for p in phases] == [
        (0, "prepare"), (0, "tune"), (1, "score"), (2, "sample"), (2, "tune"), (3, "select"), (3, "train"),
        (4, "train"), (5, "score"), (5, "score-silent"), (5, "report"),
    ]  # fmt: skip
    runs = [p.run_id("j") for p in phases]
    assert len(set(runs)) == len(runs)


def test_a_record_survives_its_text() -> None:
    full = record(state=State.STARTING, seconds={"sft": 1.5}, ledgers={"r": {"used": 2}}, manifests={"eval": "/e"})
    assert JobRecord.from_json(full.to_json()) == full


def test_a_transition_that_does_not_exist_is_loud() -> None:
    with pytest.raises(ValueError, match="QUEUED cannot become PAUSED"):
        apply(record(), Paused(2.0))
    with pytest.raises(ValueError, match="SUCCEEDED cannot become RUNNING"):
        apply(record(state=State.SUCCEEDED), Running())


def test_written_probe_data_is_a_manifest_like_any_other() -> None:
    recipe = load_recipe(RECIPE).model_copy(update={"probe": ProbeData(eval=8), "data": {}})
    manifests = {name: f"/out/{name}.jsonl" for name in ("lessons", "cold_start", "train", "eval")}
    effective = effective_recipe(record(manifests=manifests), recipe)
    assert load_recipe(recipe_yaml(effective)) == effective
    assert effective.data == manifests
    assert effective_recipe(record(manifests={}), recipe).probe == recipe.probe


def test_the_effective_recipe_is_a_recipe() -> None:
    recipe = load_recipe(RECIPE)
    effective = effective_recipe(record(manifests={"eval": "/elsewhere"}), recipe)
    assert load_recipe(recipe_yaml(effective)) == effective
    assert effective.output == "/out/small-1"
    assert effective.data == {"cold_start": "/a", "train": "/b", "eval": "/elsewhere"}


def test_a_record_is_the_sum_of_what_happened() -> None:
    phases = phases_of(load_recipe(RECIPE))
    r = apply(record(), Started(10.0))
    assert (r.state, r.phase, r.started_at, r.phase_started_at) == (State.STARTING, "prepare", 10.0, 10.0)
    r = apply(r, PhaseDone(phases[0], 4.0, 14.0, phases[1], Prepared({"eval": "/e"}, "/m")), Running())
    assert (r.state, r.cursor, r.phase, r.model_uri, r.manifests) == (State.RUNNING, 1, "tune", "/m", {"eval": "/e"})
    r = apply(r, TrainerSeen(1, 2, 5.0), StepTold(1), Paused(20.0), Resumed(23.0))
    assert (r.step, r.steps, r.after_step, r.paused_seconds, r.lineage) == (1, 2, 1, 3.0, 0)
    r = apply(r, WentBack(0), TrainerSeen(2, 2, 0.0), StepTold(2))
    r = apply(r, PhaseDone(phases[1], 7.0, 30.0, phases[2], Learned("/c/1", 1)), Published(1))
    assert (r.checkpoint_uri, r.version, r.published, r.step, r.after_step) == ("/c/1", 1, 1, 0, 0)
    r = apply(r, Sampled(3, 8, 2.0), RunClosed("j/1", {"used": 8}, 8))
    assert (r.step, r.steps, r.ledgers) == (8, 8, {"j/1": {"used": 8}})
    r = apply(r, TrainerSeen(1, 2, 0.0, lineage=3, version=0))
    assert (r.lineage, r.published) == (
        3,
        1,
    )  # a trainer that has published nothing yet still serves the version before
    r = apply(r, RunClosed("j/2", {"used": 4}), PhaseDone(phases[6], 9.0, 40.0, None, Learned("/c/2", 5, 4)))
    assert (r.version, r.lineage, r.steps) == (6, 4, 2)
    assert r.seconds == {"prepare": 4.0, "sft": 7.0, "rl": 9.0}
    ended = apply(r, Ended(State.FAILED, 50.0, "no room"))
    assert (ended.state, ended.reason, ended.ended_at, ended.seconds_left) == (State.FAILED, "no room", 50.0, 0.0)
