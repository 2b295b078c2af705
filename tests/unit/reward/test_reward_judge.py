"""The judge over real HTTP: verdicts, other words, slow and broken endpoints."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.benchmarks import score_file
from reward.endpoint import EndpointFailure, EndpointSettings, content_of
from reward.judge import EndpointJudge, parse_verdict
from reward.score import score_group


@pytest.fixture
def judge(endpoint) -> Iterator[EndpointJudge]:
    endpoint.replies, endpoint.requests = ["CORRECT"], []
    url = f"http://127.0.0.1:{endpoint.server_port}/v1"
    with EndpointJudge(EndpointSettings(url, "small", "secret", seconds=30.0, wait_seconds=0.01)) as judge:
        yield judge


@pytest.mark.parametrize(("reply", "verdict"), [("CORRECT", True), ("INCORRECT", False), (" CORRECT.\n", True)])
def test_a_verdict(endpoint, judge, reply, verdict):
    endpoint.replies = [reply]
    assert judge.agrees("What?", "a violin", "a fiddle") is verdict
    (request,) = endpoint.requests
    assert (request["path"], request["key"], request["model"]) == ("/v1/chat/completions", "Bearer secret", "small")
    assert request["temperature"] == 0
    assert json.loads(request["messages"][1]["content"])["given_answer"] == "a fiddle"


@pytest.mark.parametrize("trouble", [503, 429, "I think it is CORRECT", "correct", ""])
def test_trouble_is_retried(endpoint, judge, trouble):
    endpoint.replies = [trouble, "INCORRECT"]
    assert judge.agrees("What?", "a violin", "a drum") is False
    assert len(endpoint.requests) == 2


def test_a_slow_reply_is_not_waited_for(endpoint):
    endpoint.replies = [6.0, "INCORRECT"]
    settings = EndpointSettings(f"http://127.0.0.1:{endpoint.server_port}/v1", "m", seconds=2.0, wait_seconds=0.01)
    with EndpointJudge(settings) as judge:
        assert judge.agrees("What?", "a violin", "a drum") is False


@pytest.mark.parametrize("trouble", [500, "CORRECT or INCORRECT", "Score: 1"])
def test_lasting_trouble_is_an_infrastructure_failure(endpoint, judge, trouble):
    endpoint.replies = [trouble]
    with pytest.raises(EndpointFailure):
        judge.agrees("What?", "a violin", "a drum")
    assert len(endpoint.requests) == 3


def test_a_refusal_is_not_retried(endpoint, judge):
    endpoint.replies = [401]
    with pytest.raises(EndpointFailure, match="status 401"):
        judge.agrees("What?", "a violin", "a drum")
    assert len(endpoint.requests) == 1


def test_nobody_there():
    settings = EndpointSettings("http://127.0.0.1:9", "m", seconds=0.5, wait_seconds=0.0)
    with EndpointJudge(settings) as judge, pytest.raises(EndpointFailure, match="ConnectError"):
        judge.agrees("What?", "a violin", "a drum")


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"choices": []}', b'{"choices": [{"message": {"content": 1}}]}', b"[" * 60_000]
)
def test_broken_replies_hold_no_verdict(body):
    assert parse_verdict(content_of(body)) is None


def test_a_group_is_judged_and_a_failure_drops_its_sample_only(endpoint, judge, make_group):
    def reply(record: dict) -> str | int:
        return {"a fiddle": "CORRECT", "a drum": "INCORRECT"}.get(record["given_answer"], 400)

    endpoint.replies = [reply]
    answers = ["a fiddle", "a drum", "a crash", "The violin."]
    group = make_group(*(f"It sounds like strings.</think>{answer}" for answer in answers), audio_uri="")
    del group.task.prompt.choices[:]
    group.task.prompt.answer, group.task.prompt.verifier = "a violin", trajectory_pb2.VERIFIER_JUDGE
    score_group(group, judge)
    rewards = [trajectory.reward for trajectory in group.trajectories]
    assert [reward.correct for reward in rewards] == [True, False, False, True]
    assert [bool(reward.drop_reason) for reward in rewards] == [False, False, True, False]


def test_without_a_judge_samples_are_dropped_not_scored(make_group):
    group = make_group("It sounds like strings.</think>a fiddle", audio_uri="")
    del group.task.prompt.choices[:]
    group.task.prompt.answer, group.task.prompt.verifier = "a violin", trajectory_pb2.VERIFIER_JUDGE
    score_group(group)
    assert "EW_JUDGE_URL" in group.trajectories[0].reward.drop_reason


@pytest.fixture
def wildspeech(endpoint, tmp_path, monkeypatch):
    """Three queries, answered but for the last; the judge of the environment is the endpoint."""
    endpoint.requests = []
    monkeypatch.setenv("EW_JUDGE_URL", f"http://127.0.0.1:{endpoint.server_port}/v1")
    monkeypatch.setenv("EW_JUDGE_MODEL", "small")
    queries = [{"id": n, "user_query": f"query {n}", "checklist": "be kind", "taskType": "TC"} for n in range(3)]
    (tmp_path / "q.jsonl").write_text("\n".join(json.dumps(query) for query in queries))
    answers = [{"id": 0, "response": ["Hello. Score: [10]"]}, {"id": 1, "response": "Hi.", "judgement": "Score: [3]"}]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(answer) for answer in answers))
    return str(tmp_path / "q.jsonl"), str(tmp_path / "a.jsonl"), "wildspeech"


def test_responses_without_a_judgement_are_marked(endpoint, wildspeech):
    endpoint.replies = ["Kind and short.\nScore: [7]"]
    total = score_file(*wildspeech).total
    assert (total.official, total.counted, total.strict) == (pytest.approx(50), 2, pytest.approx(100 / 3))
    (request,) = endpoint.requests
    asked = json.loads(request["messages"][1]["content"])
    assert asked == {"request": "query 0", "checklist": "be kind", "reply": "Hello. Score: [10]"}
    assert request["temperature"] == 0


def test_a_judge_without_a_mark_is_a_failure_and_no_score(endpoint, wildspeech):
    endpoint.replies = ["I would rather not."]
    with pytest.raises(EndpointFailure, match="not what was asked for"):
        score_file(*wildspeech)
    assert len(endpoint.requests) == 3
