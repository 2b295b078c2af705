"""The report's mathematics and the safety of its page."""

import html
import random
import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earwitness.jobs.report.clips import choose
from earwitness.jobs.report.figures import Evaluation, Milestones, by_control, figures, thinking
from earwitness.jobs.report.page import render
from earwitness.jobs.report.provenance import provenance
from earwitness.jobs.report.stats import paired_gain, wilson
from earwitness.jobs.report.svg import line_chart, nice_ticks
from earwitness.recipe.stages import CONTROLS
from earwitness.series import curve, steps_of
from earwitness.wire.jobs.v1 import jobs_pb2
from earwitness.wire.metrics.v1.metrics_pb2 import Metric
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire

END = 9


def evaluation(name: str, correct: list[list[bool]], **reward: object) -> Evaluation:
    groups = []
    for i, of_prompt in enumerate(correct):
        prompt = wire.Prompt(
            id=f"p{i}", kind=f"k{i % 2}", answer="up", choices=["up", "down"], question="Up?", audio_uri=f"/no/{i}.wav"
        )
        group = wire.Group(task=wire.GroupTask(prompt=prompt, ordinal=i))
        for right in of_prompt:
            group.trajectories.add(
                token_ids=[1, 2, END, 3], text="it rises\n</think>\nup",
                reward=wire.Reward(correct=right, answer="up" if right else "down", **reward),
            )  # fmt: skip
        groups.append(group)
    return Evaluation(name, groups, [END])


def report_of(cold_start: Evaluation | None, final: Evaluation | None) -> dict:
    return {
        **figures(
            Milestones(cold_start, cold_start, final), [{"logprob_gap.mean": 1e-4}],
            {"sft": 2.0, "prepare": 1.0}, 60.0, 10.0,
        ),
        "ledger": {"run": {"used": 3}}, "job": {"job_id": "j", "name": "n"}, "config": {"name": "n"},
        "provenance": provenance({}), "thinking": [], "extended": [], "rounds": [],
        "greedy": {"final": 0.75}, "controls": by_control([(final, "without_audio")] if final else []),
        "headroom": {"mgrd 3": {"1": 0.5, "4": 0.8125}}, "pass_at": {"final": {"1": 0.625}},
        "stages": [{"stage": 2, "type": "mgrd", "traces kept": 40, "refused by the judge": 3}],
    }  # fmt: skip


def test_wilson_against_known_values() -> None:
    assert wilson(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert wilson(0.0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(0.0, 10)[0] == 0.0 and wilson(1.0, 10)[1] > 0.999
    assert wilson(0.5, 0) is None


@given(n=st.integers(1, 500), right=st.integers(0, 500))
def test_wilson_holds_its_share(n: int, right: int) -> None:
    share = min(right, n) / n
    low, high = wilson(share, n)
    assert 0 <= low <= share + 1e-12 and share - 1e-12 <= high <= 1


def test_paired_gain_is_exact_in_the_middle_and_covers_as_often_as_it_says() -> None:
    gain, (low, high) = paired_gain([0, 0, 1, 1], [1, 0, 1, 1])
    assert gain == 0.25 and low <= gain <= high
    assert paired_gain([1.0] * 50, [1.0] * 50) == (0.0, (0.0, 0.0))
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(60):
        before, after = rng.random(150) < 0.5, rng.random(150) < 0.6
        low, high = paired_gain(before.tolist(), after.tolist())[1]
        covered += low <= 0.1 <= high
    assert covered >= 52  # 95 % of 60 is 57


def test_figures_of_known_groups() -> None:
    cold_start = evaluation("before", [[False, True], [False, False]], supported=1, contradicted=3, surrogate=True)
    final = evaluation("after", [[True, True], [False, True]], supported=3, contradicted=1)
    report = report_of(cold_start, final)
    accuracy = report["accuracy"]
    assert (accuracy["cold_start"], accuracy["final"], accuracy["gain"], accuracy["n"]) == (0.25, 0.75, 0.5, 2)
    assert (accuracy["distilled"], accuracy["rl_gain"]) == (0.25, 0.5)
    assert accuracy["interval"]["rl_gain"] == accuracy["interval"]["gain"]
    assert accuracy["final_without_audio"] is None
    assert report["supported_share"] == {"cold_start": 0.25, "final": 0.75}
    assert report["surrogate_share"] == {"cold_start": 1.0, "final": 0.0}
    assert report["think_tokens"] == {"cold_start": 2.0, "final": 2.0}
    assert report["logprob_gap"] == 1e-4
    rest = {"mgrd": 0.0, "rl": 0.0, "dpo": 0.0, "eval": 0.0}
    assert report["seconds"] == {"install": 60.0, "sft": 2.0, **rest, "total": 70.0}
    of_accuracy = {
        "n": 1,
        "cold_start": 0.5,
        "distilled": 0.5,
        "final": 1.0,
    }
    of_accuracy |= dict.fromkeys([f"final_{control}" for control in CONTROLS])
    assert report["kinds"]["k0"] == {**of_accuracy, "coverage": None}
    assert final.confusion()["k1"]["up"] == {"down": 1, "up": 1}


def test_answers_against_their_own_reasoning_count_among_those_that_have_both() -> None:
    final = evaluation("after", [[True, True], [True, False]], well_formed=True, coherent=True)
    first, second = final.trajectories[:2]
    first.reward.coherent = False
    second.reward.coherent = second.reward.well_formed = False  # nothing to come to
    report = report_of(evaluation("before", [[True]]), final)
    assert report["incoherent_share"] == {"cold_start": None, "final": pytest.approx(1 / 3)}
    page = render(report, {}, [final], None, final)
    assert "Against their own reasoning" in page and "33.3 %" in page


def test_controls_stand_beside_what_blind_guesses_would_get() -> None:
    final, control = evaluation("after", [[True], [True]]), evaluation("after", [[False], [True]])
    made = figures(Milestones(final=final, controls={"shuffled_audio": control}), [], {}, None, 1.0)
    accuracy = made["accuracy"]
    assert (accuracy["final"], accuracy["final_shuffled_audio"], accuracy["chance"]) == (1.0, 0.5, 0.5)
    assert accuracy["interval"]["final_shuffled_audio"] == pytest.approx(wilson(0.5, 2))
    assert accuracy["final_decisive_removed"] is accuracy["final_without_audio"] is None
    page = render({**report_of(None, final), **made}, {}, [final], None, final)
    assert "each question with another&#x27;s clip; chance 50.0 %" in page and "without what decides" not in page
    final.groups[0].task.prompt.ClearField("choices")
    assert final.chance() is None  # of an open question nobody knows


def test_headroom_stands_before_and_after_with_greedy_beside() -> None:
    final = evaluation("final", [[True], [False]])
    page = render(report_of(None, final), {}, [final], None, final)
    assert "pass@4" in page and "81.2 %" in page and "mgrd 3, on its prompts" in page
    assert "75.0 %" in page  # greedy
    bare = {**report_of(None, final), "greedy": {}, "headroom": {}}
    assert "Headroom" not in render(bare, {}, [final], None, final)


def test_controls_of_every_evaluation_tell_what_is_no_answer() -> None:
    silent = evaluation("before", [[True, False], [False, False]])
    silent.groups[0].trajectories[1].reward.answer = "of no kind"
    (found,) = by_control([(silent, "without_audio")])
    assert (found["evaluation"], found["accuracy"], found["unanswered"]) == ("before", 0.25, 0.25)
    page = render(report_of(None, silent) | {"controls": [found]}, {}, [silent], None, silent)
    assert "None of the choices" in page and "without audio" in page
    silent.groups[0].task.prompt.ClearField("choices")
    silent.groups[1].task.prompt.ClearField("choices")
    assert silent.unanswered() is None


def test_coverage_is_the_share_of_statements_about_the_sound_with_a_verdict() -> None:
    claims = [wire.Claim(verdict=v) for v in (wire.VERDICT_SUPPORTED, wire.VERDICT_NOT_CHECKABLE)]
    unread = [wire.Unread(text="barks", why="<why>"), wire.Unread(text="a hum", why="other")]
    final = evaluation("after", [[True, True], [True]], claims=claims, unread=unread)
    report = report_of(evaluation("before", [[True]], claims=claims[:1]), final)
    assert report["coverage"] == {"cold_start": 1.0, "final": 0.25}
    assert report["kinds"]["k1"]["coverage"] == 0.25
    assert report["unread"] == {"<why>": 3, "other": 3}
    page = render(report, {}, [final], None, final)
    assert "&lt;why&gt;" in page and "25.0 %" in page and "<why>" not in page


def test_a_job_without_evaluations_has_a_report_too() -> None:
    report = report_of(None, None)
    assert report["accuracy"]["final"] is None and report["accuracy"]["n"] == 0
    assert "<h1>n</h1>" in render(report, {}, [], None, None)


def test_steps_taken_again_replace_the_first_telling() -> None:
    def told(step: int, loss: float) -> jobs_pb2.Event:
        job = jobs_pb2.Job(stage_index=1, stage_type="rl", phase="train", step=step)
        return jobs_pb2.Event(kind="step", job=job, metrics=[Metric(name="loss", value=loss)])

    steps = steps_of([told(1, 9.0), told(2, 8.0), jobs_pb2.Event(kind="state"), told(2, 7.0), told(3, 6.0)])
    assert curve(steps[1, "rl", "train"], "loss") == [(1, 9.0), (2, 7.0), (3, 6.0)]


@given(low=st.floats(-1e6, 1e6), span=st.floats(0, 1e6))
def test_ticks_cover_and_rise(low: float, span: float) -> None:
    ticks = nice_ticks(low, low + span)
    assert ticks == sorted(set(ticks)) and 2 <= len(ticks) <= 12
    room = max((ticks[-1] - ticks[0]) * 1e-6, abs(low) * 1e-8)
    assert ticks[0] <= low + room and low + span <= ticks[-1] + room


def test_charts_of_awkward_curves() -> None:
    assert line_chart([("none", [])]) == ""
    assert line_chart([("broken", [(1.0, float("nan"))])]) == ""
    assert "<circle" in line_chart([("one", [(1.0, 2.0)])])
    flat = line_chart([("flat", [(float(i), 1.0) for i in range(1000)])])
    assert flat.count("<polyline") == 2 and "nan" not in flat


def test_clips_take_turns_over_kinds_whatever_came_out() -> None:
    groups = list(evaluation("e", [[True]] * 9).groups)
    random.Random(1).shuffle(groups)
    assert [g.task.ordinal for g in choose(groups, 5)] == [0, 1, 2, 3, 4]
    assert len(choose(groups, 50)) == 9


HOSTILE = '</title><script>alert(1)</script><img src=x onerror="a">\'&'


def test_every_text_of_a_model_or_manifest_is_escaped() -> None:
    final = evaluation("after", [[True]])
    group = final.groups[0]
    prompt, trajectory = group.task.prompt, group.trajectories[0]
    prompt.question = prompt.answer = prompt.kind = HOSTILE
    prompt.choices[:] = [HOSTILE, "down"]
    trajectory.text = f"I hear {HOSTILE} here\n</think>\n{HOSTILE}"
    trajectory.reward.answer = HOSTILE
    trajectory.reward.surrogate, trajectory.reward.surrogate_phrase = True, "here"
    trajectory.reward.claims.add(text=HOSTILE, kind=HOSTILE, claimed=HOSTILE, measured=HOSTILE)
    report = report_of(None, final)
    report["job"] = {"job_id": HOSTILE, "name": HOSTILE}
    report["ledger"] = {HOSTILE: {HOSTILE: 1}}
    report["config"] = {"name": HOSTILE}
    page = render(report, {(0, HOSTILE, "tune"): {1: {"loss": 1.0}, 2: {"loss": 2.0}}}, [final], None, final)
    assert "<script" not in page and "<img" not in page
    assert html.escape(HOSTILE, quote=True) in page
    assert not re.findall(r"https?://(?!www\.w3\.org)", page)  # nothing is fetched


def test_claims_are_marked_where_they_stand() -> None:
    final = evaluation("after", [[True]])
    trajectory = final.groups[0].trajectories[0]
    trajectory.text = "I hear 3 beeps & a high tone.\n</think>\nup"
    for text, verdict in (("3 beeps", wire.VERDICT_SUPPORTED), ("a HIGH tone", wire.VERDICT_CONTRADICTED)):
        trajectory.reward.claims.add(text=text, kind="k", verdict=verdict, claimed="c", measured="m")
    page = render(report_of(None, final), {}, [final], None, final)
    assert 'I hear <mark class="supported" title="measured: m">3 beeps</mark> &amp; ' in page
    assert '<mark class="contradicted" title="measured: m">a high tone</mark>.' in page


def test_what_thinking_is_worth_is_listed_and_drawn() -> None:
    bounded = [
        replace(evaluation("after", [[right < 3 + more] for right in range(10)]), think_budget=budget)
        for more, budget in enumerate((0, 8, 32))
    ]
    points = thinking(bounded)
    assert [(p["budget"], p["accuracy"], p["think_tokens"]) for p in points] == [(0, 0.3, 2), (8, 0.4, 2), (32, 0.5, 2)]
    assert points[0]["interval"] == pytest.approx(list(wilson(0.3, 10) or ()))
    page = render({**report_of(None, bounded[0]), "thinking": points}, {}, bounded, None, bounded[0])
    assert "What thinking is worth" in page and "<polyline" in page
    extended = thinking([replace(evaluation("longer", [[True], [False]]), extended=True)])
    page = render({**report_of(None, bounded[0]), "extended": extended}, {}, bounded, None, bounded[0])
    assert "goes on once" in page and "longer" in page and "50.0 %" in page
    assert "What thinking is worth" not in render(report_of(None, bounded[0]), {}, bounded[:1], None, bounded[0])


@given(right=st.lists(st.integers(0, 8), min_size=1, max_size=6))
def test_pass_at_k_is_the_mean_over_all_choices_of_k_samples(right: list[int]) -> None:
    of = evaluation("x", [[number < count for number in range(8)] for count in right])
    found = of.pass_at()
    assert set(found) == {"1", "4", "8"}
    for k, share in found.items():
        chosen = [[any(n < count for n in some) for some in combinations(range(8), int(k))] for count in right]
        assert share == pytest.approx(sum(sum(c) / len(c) for c in chosen) / len(chosen))
    assert evaluation("y", [[True]]).pass_at() == {"1": 1.0}
