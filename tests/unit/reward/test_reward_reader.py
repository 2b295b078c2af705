"""The reader behind an endpoint: what it names is checked, and the rules read where it fails."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earwitness.wire.trajectory.v1 import trajectory_pb2
from reward.endpoint import EndpointSettings
from reward.families import QUALITIES
from reward.grounding import check_claims
from reward.measure import measure
from reward.parse import read_trace
from reward.reader import ENDPOINT, FELL_BACK, FORMAT, MAX_ASKED_CHARS, EndpointReader, Reply, reading_of
from reward.score import score_group
from reward.scoring import FALLEN_BACK, ScoringProcess, score_bytes
from reward.statements import Comparison, Count, Counted, Not, Quantity, Relation, Span, Timbre, Value

PROMPT = trajectory_pb2.Prompt(question="Which of the two tones is higher?")
TRACE = "The first one sits at concert A. Its partner is not a square, and the two of them differ."


def reply(*claims: dict, unread: tuple = ()) -> str:
    return json.dumps({"claims": claims, "unread": list(unread)})


@pytest.fixture
def read(endpoint) -> Iterator[EndpointReader]:
    endpoint.replies, endpoint.requests = [reply()], []
    yield EndpointReader(EndpointSettings(f"http://127.0.0.1:{endpoint.server_port}/v1", "small", "k", seconds=30.0))


def test_what_the_endpoint_names_is_read(endpoint, read):
    said = {"text": "sits at concert A", "value": {"quantity": "pitch", "part": 1, "value": 440}}
    denied = {"text": "is not a square", "denied": True, "quality": {"what": "square", "part": 2}}
    endpoint.replies = [reply(said, denied, unread=({"text": "differ", "why": "says not how"},))]
    reading = read(TRACE, PROMPT)
    assert [c.statement for c in reading.claims] == [Value(Quantity.PITCH, 1, 440), Not(Timbre("square", 2))]
    assert [tuple(u) for u in reading.unread] == [("differ", "says not how")]
    assert reading.by == ENDPOINT
    (request,) = endpoint.requests
    assert request["response_format"] == FORMAT and request["temperature"] == 0
    assert json.loads(request["messages"][1]["content"])["reasoning"] == TRACE


@pytest.mark.parametrize(
    "said",
    [
        {"text": "words that nobody wrote", "value": {"quantity": "pitch", "part": 1, "value": 440}},
        {"text": "differ"},
        {"text": "differ", "repeats": {}, "regular": {"even": True}},
        {"text": "differ", "quality": {"what": "divine", "part": None}},
        {"text": "differ", "change": {"quantity": "onset", "part": None, "relation": "more"}},
        {"text": "differ", "comparison": {"quantity": "pitch", "part": 1, "other": 1, "relation": "more"}},
        {"text": "differ", "count": {"value": -1}},
        {"text": "differ", "value": {"quantity": "pitch", "part": 0, "value": 440}},
        {"text": "differ", "quality": {"what": "bright", "part": {"start": 2, "end": 1}}},
        {"text": "the two of them", "count": {"value": 2}},
    ],
)
def test_what_cannot_be_or_is_asked_is_no_claim(said):
    assert reading_of(Reply.model_validate({"claims": [said]}), TRACE, PROMPT).claims == []


@pytest.mark.parametrize("trouble", [500, 401, "no JSON", '{"claims": [{"text": 1}]}', "{" * 50_000])
def test_where_it_fails_the_rules_read_and_say_so(endpoint, read, trouble):
    endpoint.replies = [trouble, reply()]
    reading = read("The second is higher.", PROMPT)
    assert reading.claims == read_trace("The second is higher.", PROMPT).claims != []
    assert reading.by.startswith(FELL_BACK)
    assert read("The second is higher.", PROMPT).by.startswith(FELL_BACK)
    assert len(endpoint.requests) == 1  # it is left alone for a while


def test_a_slow_reply_is_not_waited_for(endpoint):
    endpoint.replies = [3.0]
    read = EndpointReader(EndpointSettings(f"http://127.0.0.1:{endpoint.server_port}/v1", "small", seconds=0.3))
    assert read("The second is higher.", PROMPT).by.startswith(FELL_BACK)


def test_long_traces_are_not_sent(endpoint, read):
    assert read("The second is higher. " * (MAX_ASKED_CHARS // 20), PROMPT).by.startswith(FELL_BACK)
    assert read(" ", PROMPT).by == ""
    assert not endpoint.requests


def test_a_group_is_read_by_it_and_each_trace_says_by_whom(endpoint, read, make_group):
    higher = {"text": "Its partner", "comparison": {"quantity": "pitch", "part": 2, "other": 1, "relation": "more"}}
    endpoint.replies = [reply(higher)]
    group = make_group(f"{TRACE}</think>second", f"{TRACE}</think>first")
    score_group(group, read=read)
    rewards = [trajectory.reward for trajectory in group.trajectories]
    assert [(r.read_by, r.supported, r.contradicted) for r in rewards] == [(ENDPOINT, 1, 0)] * 2


async def test_the_service_counts_what_fell_back(make_group):
    nobody = EndpointSettings("http://127.0.0.1:9/v1", "m", seconds=0.5)
    before = FALLEN_BACK._value.get()

    class Log:
        def warning(self, *_: object, **__: object) -> None:
            pass

    class Here(ScoringProcess):
        async def _attempt(self, group: trajectory_pb2.Group) -> trajectory_pb2.Group:
            return trajectory_pb2.Group.FromString(score_bytes(group.SerializeToString(), reader=nobody))

    with Here(Log()) as scoring:
        scored = await scoring.score(make_group("The second is higher.</think>second", "It is higher.</think>second"))
    assert FALLEN_BACK._value.get() == before + 2
    assert all(t.reward.read_by.startswith(FELL_BACK) for t in scored.trajectories)
    assert scored.trajectories[0].reward.supported == 1


PARTS = st.one_of(st.none(), st.integers(-1, 4), st.builds(Span, st.floats(0, 2), st.floats(0, 2), st.booleans()))
STATEMENTS = st.one_of(
    st.builds(Value, st.sampled_from(Quantity), PARTS, st.floats(-100, 9_000)),
    st.builds(Comparison, st.sampled_from(Quantity), PARTS, PARTS, st.sampled_from(Relation)),
    st.builds(Count, st.integers(0, 9), st.sampled_from(Counted), PARTS),
    st.builds(Timbre, st.sampled_from(sorted(QUALITIES)), PARTS),
)
FORMS = {Value: "value", Comparison: "comparison", Count: "count", Timbre: "quality"}


@pytest.fixture(scope="module")
def heard(clips):
    parts = [(0.1, clips.tone(440, 0.3), -20.0), (0.6, clips.tone(620, 0.3), -20.0)]
    return measure(clips.mix(parts, 1.0, 35.0, np.random.default_rng(0)))


@given(STATEMENTS, st.booleans())
@settings(deadline=None, max_examples=300)
def test_whatever_it_claims_has_a_verdict(heard, statement, denied):
    said = {"text": "differ", "denied": denied, FORMS[type(statement)]: statement}
    grounding = check_claims(
        TRACE, PROMPT, heard, lambda *_: reading_of(Reply.model_validate({"claims": [said]}), TRACE, PROMPT)
    )
    assert len(grounding.claims) <= 1
    assert all(claim.claimed and claim.verdict for claim in grounding.claims)
