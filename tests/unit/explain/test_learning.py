"""Each trouble is found in a constructed run that has it, and nothing in one that learns."""

import json
from pathlib import Path

import numpy as np
import pytest

from earwitness.explain import explain
from earwitness.explain.learning import RULES, Seen, findings
from earwitness.explain.window import Window
from earwitness.series import Steps
from earwitness.wire.jobs.v1 import jobs_pb2
from earwitness.wire.metrics.v1.metrics_pb2 import Metric

STEPS = 60

HEALTHY = {
    "correct.mean": (0.5, 0.8),
    "groups.all_right": (0.05, 0.3),
    "groups.all_wrong": (0.2, 0.05),
    "think_tokens.mean": (40, 50),
    "truncated_share": (0.02, 0.0),
    "logprob_gap.mean": (1e-5, 2e-5),
    "entropy": (0.8, 0.5),
    "clip_share": (0.05, 0.05),
    "kind.loudness": (0.5, 0.8),
    "claims.pitch.supported": (8, 10),
    "claims.pitch.contradicted": (5, 1),
}
"""Figures of a run that learns: first and last value."""


def run(**ends: tuple[float, float]) -> Steps:
    """Figures that go from one value to another, with a little noise."""
    noise = np.random.default_rng(3)
    figures = HEALTHY | {name.replace("__", "."): pair for name, pair in ends.items()}
    return {
        step + 1: {
            name: (first + (last - first) * step / (STEPS - 1)) * (1 + 0.05 * noise.standard_normal())
            for name, (first, last) in figures.items()
        }
        for step in range(STEPS)
    }


def found(steps: Steps, groups: dict[str, float] | None = None) -> list[str]:
    return [finding.rule for finding in findings(Seen(Window(steps), groups or {}))]


def test_a_run_that_learns_has_no_trouble() -> None:
    assert found(run(), {"used": 700, "all correct": 100, "all wrong": 50}) == []


@pytest.mark.parametrize(
    ("ends", "rule"),
    [
        ({"groups__all_wrong": (0.7, 0.8)}, "all_wrong"),
        ({"groups__all_right": (0.4, 0.9)}, "all_right"),
        ({"think_tokens__mean": (40, 4)}, "length_collapse"),
        ({"logprob_gap__mean": (1e-5, 0.2)}, "logprob_gap"),
        ({"logprob_gap__mean": (1e-3, 0.03)}, "logprob_gap"),
        ({"entropy": (0.8, 0.02)}, "entropy_collapse"),
        ({"truncated_share": (0.1, 0.5)}, "truncated"),
        ({"clip_share": (0.1, 0.6)}, "clipped"),
        ({"kind.timbre": (0.3, 0.3)}, "kinds_still"),
        ({"claims__tempo.supported": (1, 1), "claims__tempo.contradicted": (4, 4)}, "claims_fail"),
    ],
)
def test_trouble_is_found_and_nothing_else(ends: dict, rule: str) -> None:
    assert found(run(**ends)) == [rule]


@pytest.mark.parametrize(("reason", "rule"), [("all wrong", "all_wrong"), ("all correct", "all_right")])
def test_groups_that_the_filter_dropped_count(reason: str, rule: str) -> None:
    """Under dynamic filtering the trainer sees none of them."""
    assert found(run(), {"used": 100, reason: 300}) == [rule]
    assert found({}, {"used": 0, reason: 300}) == [rule]


def test_claims_that_a_coin_would_have_are_no_hearing() -> None:
    steps = run(claims__pitch__supported=(5, 5), claims__pitch__contradicted=(6, 6))
    assert found(steps) == ["grounded_at_chance", "claims_fail"]
    assert found({step: {} for step in steps}) == []


def test_a_kind_that_is_nearly_always_right_need_not_move() -> None:
    assert found(run(**{"kind.timbre": (0.95, 0.95)})) == []


def test_a_short_run_has_no_trend() -> None:
    short = {step: figures for step, figures in run(think_tokens__mean=(40, 4)).items() if step % 10 == 0}
    assert len(short) == 6 and found(short) == []


def test_every_rule_says_what_it_looks_at() -> None:
    assert all(rule.__doc__ for rule in RULES)


@pytest.mark.parametrize(
    ("reward", "held_out", "rules"),
    [
        ((0.4, 0.8), (0.6, 0.6), ["reward_alone"]),
        ((0.4, 0.8), (0.6, 0.5), ["reward_alone"]),
        ((0.4, 0.8), (0.6, 0.7), []),
        ((0.4, 0.4), (0.6, 0.6), []),
        ((0.4, 0.8), None, []),
    ],
)
def test_a_reward_that_rises_alone_is_told(reward, held_out, rules) -> None:
    seen = Seen(Window(run(reward__mean=reward)), {}, held_out)
    assert [finding.rule for finding in findings(seen)] == rules


def event(kind: str, step: int = 0, **figures: float) -> jobs_pb2.Event:
    job = jobs_pb2.Job(job_id="small-1", stage_index=1, stage_type="rl", phase="train", step=step)
    metrics = [Metric(name=name, value=value) for name, value in figures.items()]
    return jobs_pb2.Event(kind=kind, metrics=metrics, job=job)


def test_a_job_is_explained_from_its_events() -> None:
    events = [event("stage", **{"seconds.sft": 12.0}), event("stage", parameters=1e6)]
    events += [
        event("step", step, **figures, **{"seconds.wait": 1.0, "seconds.train": 3.0}) for step, figures in run().items()
    ]
    events += [event("drop", **{"groups.used": 10, "groups.dropped": 32, "dropped.all wrong": 32})]
    events += [event("drop", **{"groups.used": 20, "groups.dropped": 70, "dropped.all wrong": 70})]
    told = explain(events)
    (phase,) = told.phases
    assert (told.job_id, told.seconds) == ("small-1", {"sft": 12.0})
    assert (phase.stage_index, phase.name, phase.steps) == (1, "train", STEPS)
    assert phase.groups == {"used": 20, "all wrong": 70}
    assert phase.speed is not None and phase.speed.bound == "trainer"
    assert [finding.rule for finding in phase.trouble] == ["all_wrong"]
    assert phase.trouble[0].figures["share"] == pytest.approx(70 / 90)


def test_a_job_that_has_not_begun_has_nothing_to_explain() -> None:
    assert explain([event("state")]).phases == []
    assert explain([]).phases == []


def test_the_evaluations_around_a_stage_are_the_nearest() -> None:
    def evaluated(stage: int, accuracy: float) -> jobs_pb2.Event:
        told = event("stage", **{"evaluation.accuracy": accuracy})
        told.job.stage_index = stage
        return told

    waits = {"seconds.wait": 1.0, "seconds.train": 3.0}
    steps = [event("step", step, **figures, **waits) for step, figures in run(reward__mean=(0.4, 0.8)).items()]
    told = explain([evaluated(0, 0.2), evaluated(0, 0.6), *steps, evaluated(2, 0.6), evaluated(3, 0.9)])
    (finding,) = told.phases[0].trouble
    assert (finding.rule, finding.figures["before"], finding.figures["after"]) == ("reward_alone", 0.6, 0.6)
    assert explain([evaluated(0, 0.6), *steps]).phases[0].trouble == []


RECORDED = json.loads(Path(__file__).with_name("troubles.json").read_text())
"""Steps of real meshes, in each of which one trouble was provoked (`python -m benchmarks.troubles --record FILE`)."""


@pytest.mark.parametrize("rule", sorted(RECORDED))
def test_a_trouble_of_a_real_mesh_is_found(rule: str) -> None:
    assert rule in found({int(step): figures for step, figures in RECORDED[rule].items()})
