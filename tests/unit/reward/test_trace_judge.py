"""The judge of traces over real HTTP, as the scoring process asks it, and what MGRD and its report make of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from earwitness.manifest import read_manifest
from earwitness.recipe.stages import MgrdStage
from earwitness.wire.trajectory.v1 import trajectory_pb2 as wire
from reward import trace_judge
from reward.endpoint import MAX_ASKED_CHARS, EndpointSettings, read_as
from reward.scoring import score_bytes
from reward.trace_judge import FORMAT, Judged

PATIENCE = 600.0
"""Seconds."""
HEARD = "The second tone is higher.</think>second"
GUESSED = "Of two the later is the one.</think>second"
STAGE = MgrdStage.model_validate(
    {"judge": True, "min_supported_share": 0.0, "tune": {"steps": 1, "optimizer": {"learning_rate": 0.001}}}
)


@pytest.fixture
def scored(endpoint, make_group, monkeypatch, request) -> Callable[..., wire.Group]:
    """scored(*texts, **prompt fields): a group as it leaves the scoring process, its traces judged by the endpoint."""
    endpoint.requests = []
    for limit in ("GROUP_SECONDS", "LAST_SECONDS"):
        monkeypatch.setattr(trace_judge, limit, PATIENCE)  # a machine that stalls is no failure of the judge
    # Another key for each test: the process keeps one judge for each of its settings.
    settings = EndpointSettings(f"http://127.0.0.1:{endpoint.server_port}/v1", "small", request.node.name, PATIENCE)

    def score(*texts: str, judge: EndpointSettings | None = settings, asked: bool = True, **fields: Any) -> wire.Group:
        group = make_group(*texts, **fields)
        group.task.judge_traces = asked
        return wire.Group.FromString(score_bytes(group.SerializeToString(), judge))

    return score


def says(grounded: bool, why: str = "so") -> str:
    return json.dumps({"grounded": grounded, "why": why})


def verdicts(group: wire.Group) -> list[tuple[int, str]]:
    return [(t.reward.trace_verdict, t.reward.trace_verdict_why) for t in group.trajectories]


def test_a_verdict_comes_with_its_reason_and_scores_nothing(endpoint, scored):
    endpoint.replies = [
        lambda asked: says("higher" in asked["reasoning"], "hears" if "higher" in asked["reasoning"] else "guesses")
    ]
    group = scored(HEARD, GUESSED)
    assert verdicts(group) == [(wire.TRACE_VERDICT_GROUNDED, "hears"), (wire.TRACE_VERDICT_REFUSED, "guesses")]
    plain = scored(HEARD, GUESSED, asked=False)
    assert [t.reward.total for t in group.trajectories] == [t.reward.total for t in plain.trajectories]
    assert verdicts(plain) == [(wire.TRACE_VERDICT_UNSPECIFIED, "")] * 2
    assert len(endpoint.requests) == 2
    for request in endpoint.requests:
        given = (request["path"], request["response_format"], request["temperature"])
        assert given == ("/v1/chat/completions", FORMAT, 0)
    contents = [json.loads(request["messages"][1]["content"]) for request in endpoint.requests]
    assert {
        "question": "Which tone is higher?", "reasoning": "The second tone is higher.", "answer": "second",
        "measured": "The second tone is higher: supported",
    } in contents  # fmt: skip


def test_only_traces_that_could_be_learned_from_are_sent(endpoint, scored):
    endpoint.replies = [says(True)]
    group = scored(HEARD, "The second tone is higher.</think>first", "second", "I cannot hear audio.</think>second")
    assert [verdict for verdict, _ in verdicts(group)] == [wire.TRACE_VERDICT_GROUNDED, 0, 0, 0]
    assert len(endpoint.requests) == 1
    assert verdicts(scored(HEARD, audio_uri="")) == [(0, "")]


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        (500, "status 500"),
        (401, "status 401"),
        ("yes", "not what was asked for"),
        ('{"grounded": 1, "why": ""}', "not what"),
    ],
)
def test_a_failure_is_named_and_the_judge_left_alone_for_a_while(endpoint, scored, trouble, why):
    endpoint.replies = [trouble, says(False)]
    ((verdict, told),) = verdicts(scored(HEARD))
    assert verdict == wire.TRACE_VERDICT_FAILED and why in told and f":{endpoint.server_port}/v1" in told
    ((verdict, told),) = verdicts(scored(HEARD))
    assert verdict == wire.TRACE_VERDICT_FAILED and "it failed a moment ago" in told
    assert len(endpoint.requests) == 1


def test_without_a_judge_and_too_long_is_named(endpoint, scored):
    ((verdict, told),) = verdicts(scored(HEARD, judge=None))
    assert verdict == wire.TRACE_VERDICT_FAILED and "EW_JUDGE_URL" in told
    ((verdict, told),) = verdicts(scored("The second tone is higher. " * (MAX_ASKED_CHARS // 20) + "</think>second"))
    assert verdict == wire.TRACE_VERDICT_FAILED and "is not sent" in told
    assert not endpoint.requests


def test_a_group_whose_time_is_up_is_handed_on_unjudged(endpoint, scored, monkeypatch):
    monkeypatch.setattr(trace_judge, "GROUP_SECONDS", -1.0)
    ((verdict, told),) = verdicts(scored(HEARD))
    assert verdict == wire.TRACE_VERDICT_FAILED and "the time of the group is up" in told
    assert not endpoint.requests


def test_a_judge_that_hangs_holds_nothing_up(make_group, monkeypatch):
    monkeypatch.setattr(trace_judge, "LAST_SECONDS", 0.0)
    goes_on = threading.Event()

    def hangs(prompt: wire.Prompt, trajectory: wire.Trajectory) -> trace_judge.Judged:
        assert goes_on.wait(PATIENCE)
        return trace_judge.Judged(grounded=False, why="too late")

    group = wire.Group.FromString(score_bytes(make_group(HEARD, HEARD).SerializeToString()))
    group.task.judge_traces = True
    trace_judge.judge_traces(group, hangs)
    goes_on.set()
    assert verdicts(group) == [(wire.TRACE_VERDICT_FAILED, "the judge: no reply in time")] * 2


@pytest.mark.parametrize("text", ["", "[]", "{" * 50_000, '{"grounded": true}', '{"grounded": "true", "why": ""}'])
def test_what_is_not_of_the_schema_is_no_verdict(text):
    assert read_as(Judged, text) is None


class Job:
    """A job as far as MGRD touches it, its folder on disk and its samples given."""

    index, earlier = 0, ()

    def __init__(self, folder: Path, groups: list[wire.Group]) -> None:
        self.folder, self.groups, self.told = folder, groups, []

    def path(self, *parts: str) -> str:
        return str(self.folder.joinpath(*parts))

    def place(self, ordinal: int) -> int:
        return ordinal

    async def sample(self, places: Any = None) -> list[wire.Group]:
        return self.groups

    async def tell(self, kind: str, message: str, metrics: Any = None) -> None:
        self.told.append(message)


async def test_mgrd_drops_what_is_refused_keeps_what_is_not_judged_and_the_report_tells_how_many(
    endpoint, scored, tmp_path
):
    endpoint.replies = [lambda asked: says("higher" in asked["reasoning"])]
    groups = [scored(HEARD, "The second tone is louder.</think>second"), scored(HEARD, judge=None)]
    groups[1].task.ordinal, groups[1].task.prompt.id = 1, "q"
    job = Job(tmp_path, groups)
    assert await STAGE.run("sample", job) is None
    kept = [example.prompt.id for example in read_manifest(job.path("mgrd", "0.jsonl"))]
    assert kept == ["p~0", "q~0"]
    assert job.told == [
        "the judge gave no verdict on 1 traces: the judge: EW_JUDGE_URL of the reward worker is not set: 1",
        "mgrd keeps 2 of 3 traces (kept: 2, refused by the judge: 1)",
    ]
    figures = STAGE.figures(
        0, lambda file: json.loads(tmp_path.joinpath(file).read_text()) if tmp_path.joinpath(file).exists() else None
    )
    assert figures == {
        "traces sampled": 3,
        "of these right": 1.0,
        "traces kept": 2,
        "refused by the judge": 1,
        "not judged": 1,
    }
